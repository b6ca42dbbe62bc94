-- squawk-ignore-file require-concurrent-index-creation
-- What operators see of calls and notices: whether Stripe answers, what a notice led to, how far
-- its list of events was read; and a call that is only looked for.

ALTER TABLE operations ADD COLUMN look_only boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN operations.look_only IS
    'An operator wants its effect looked for; it is not sent again.';

ALTER TABLE webhooks ADD COLUMN operation_id uuid;
COMMENT ON COLUMN webhooks.operation_id IS 'The call in which we read what the notice is about.';
CREATE INDEX webhooks_received ON webhooks (received_at DESC, event_id DESC);

ALTER TABLE event_reads ADD COLUMN read_at timestamptz;
COMMENT ON COLUMN event_reads.read_at IS 'When it was last read to its end (business time).';

CREATE TABLE stripe_lines (
    caller_id uuid PRIMARY KEY,
    state text NOT NULL CONSTRAINT stripe_lines_state_known CHECK (state IN ('closed', 'open')),
    failures bigint NOT NULL,
    since timestamptz NOT NULL,
    told_at timestamptz NOT NULL
);
COMMENT ON TABLE stripe_lines IS
    'Of every worker that speaks with Stripe: whether calls go through (closed) or wait (open). System time.';

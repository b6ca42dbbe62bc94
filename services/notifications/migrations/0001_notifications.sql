-- What notifications knows about people and sessions, and every message it owes them.

CREATE TABLE contacts (
    person_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    name text,
    email text,
    locale text,
    zone text,
    erased boolean NOT NULL DEFAULT false,
    CONSTRAINT contacts_erased_is_empty CHECK (
        CASE
            WHEN erased THEN num_nonnulls(name, email, locale, zone) = 0
            ELSE num_nulls(name, email, locale, zone) = 0
        END
    )
);
COMMENT ON TABLE contacts IS
    'How to reach a person. An erased row stays for ever, so that a late duplicate revives nobody.';

CREATE TABLE mentors (
    person_id uuid PRIMARY KEY,
    people_version bigint NOT NULL DEFAULT 0,
    mentor_state text NOT NULL DEFAULT 'none',
    account_version bigint NOT NULL DEFAULT 0,
    can_receive boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE mentors IS
    'The state of a person as a mentor, as profiles (people_version) and payments (account_version) told it last.';

CREATE TABLE sessions (
    order_id uuid PRIMARY KEY,
    session_id uuid NOT NULL CONSTRAINT sessions_session_id_key UNIQUE,
    mentor_id uuid NOT NULL,
    mentee_id uuid NOT NULL,
    title text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT sessions_state_known CHECK (
        state IN ('held', 'confirmed', 'expired', 'lost', 'cancelled', 'completed')
    ),
    calendar_sequence integer NOT NULL,
    cancelled_by text,
    cancel_reason text,
    refund_basis_points integer,
    mentor_reviewed boolean NOT NULL DEFAULT false,
    mentee_reviewed boolean NOT NULL DEFAULT false,
    version bigint NOT NULL
);
COMMENT ON TABLE sessions IS 'The state of every purchase as booking told it last.';

CREATE TABLE messages (
    message_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    channel text NOT NULL CONSTRAINT messages_channel_known CHECK (channel IN ('mail', 'feed')),
    kind text NOT NULL,
    cause text NOT NULL,
    order_id uuid CONSTRAINT messages_order_fkey REFERENCES sessions (order_id),
    details jsonb NOT NULL DEFAULT '{}',
    sealed text,
    planned_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'planned' CONSTRAINT messages_state_known CHECK (
        state IN ('planned', 'sending', 'sent', 'skipped', 'failed')
    ),
    reason text,
    acted_at timestamptz,
    read_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    claimed_at timestamptz,
    CONSTRAINT messages_once UNIQUE (cause, kind, person_id, channel),
    CONSTRAINT messages_sealed_is_deleted CHECK (
        sealed IS NULL OR state IN ('planned', 'sending')
    )
);
COMMENT ON TABLE messages IS
    'One row per cause, kind, person and channel. planned_at, acted_at and read_at are business time; next_try_at (back-off, or the end of the lease of a claim) and claimed_at are system time. reason says why it was skipped or failed.';
CREATE INDEX messages_open ON messages (planned_at, message_id)
    WHERE state IN ('planned', 'sending');
CREATE INDEX messages_feed ON messages (person_id, acted_at DESC, message_id DESC)
    WHERE channel = 'feed' AND state = 'sent';
CREATE INDEX messages_open_of_person ON messages (person_id)
    WHERE state IN ('planned', 'sending');
CREATE INDEX messages_order ON messages (order_id) WHERE order_id IS NOT NULL;

CREATE VIEW due AS
    SELECT m.channel || ':' || m.kind AS kind, m.message_id::text AS subject, m.planned_at AS due_at
    FROM messages AS m
    WHERE m.state = 'planned'
      AND (
          m.channel = 'feed'
          OR m.sealed IS NOT NULL
          OR EXISTS (SELECT 1 FROM contacts AS c WHERE c.person_id = m.person_id)
      );
COMMENT ON VIEW due IS
    'What acts by itself at a business instant. A mail that waits for its reader''s contact is not among them.';

CREATE VIEW in_flight AS
    SELECT kind, subject, since FROM kit_in_flight
    UNION ALL
    SELECT 'sending'::text, message_id::text, claimed_at FROM messages WHERE state = 'sending';
COMMENT ON VIEW in_flight IS 'Work accepted and not finished.';

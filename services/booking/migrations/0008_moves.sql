-- squawk-ignore-file constraint-missing-not-valid, require-concurrent-index-creation
-- A session may be moved: what is proposed for it, and when that lapses.

ALTER TABLE sessions
    ADD COLUMN proposal jsonb,
    ADD COLUMN proposal_until timestamptz,
    ADD CONSTRAINT sessions_proposal CHECK (
        (proposal IS NULL) = (proposal_until IS NULL)
        AND (proposal IS NULL OR state = 'confirmed')
    ),
    ADD CONSTRAINT sessions_objection CHECK (
        objection IS NULL OR state IN ('completed', 'no_show')
    );
CREATE INDEX sessions_proposed ON sessions (proposal_until) WHERE proposal_until IS NOT NULL;
CREATE INDEX sessions_objected ON sessions (session_id)
    WHERE objection IS NOT NULL AND objection ->> 'settled_at' IS NULL;

CREATE OR REPLACE VIEW due AS
SELECT
    CASE o.state
        WHEN 'held' THEN 'hold_expiry' WHEN 'requested' THEN 'request_lapse' ELSE 'offer_lapse'
    END AS kind,
    o.order_id::text AS subject,
    o.expires_at AS due_at
FROM orders AS o
WHERE o.state IN ('requested', 'offered', 'held')
UNION ALL
SELECT
    'completion',
    s.session_id::text,
    s.completes_at
FROM sessions AS s
WHERE s.state = 'confirmed'
UNION ALL
SELECT
    'move_lapse',
    s.session_id::text,
    s.proposal_until
FROM sessions AS s
WHERE s.proposal_until IS NOT NULL;
COMMENT ON VIEW due IS 'What this service will do by itself, and at which business instant.';

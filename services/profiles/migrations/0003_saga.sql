-- What profiles knows of a purchase, step by step, and what it waits for.

-- A migration is one transaction, which cannot build concurrently.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX review_cases_order ON review_cases (order_id);

CREATE VIEW saga_steps AS
    SELECT order_id, at, kind, what, state, details FROM kit_saga_steps
    UNION ALL
    SELECT c.order_id, r.written_at, 'review'::text, 'review by the ' || r.author, c.state, '{}'::jsonb
    FROM review_cases AS c INNER JOIN reviews AS r ON c.session_id = r.session_id;
COMMENT ON VIEW saga_steps IS 'What happened to a purchase here; at is business time.';

CREATE VIEW saga_waits AS
    SELECT
        order_id,
        'both review'::text AS waits_for,
        NULL::timestamptz AS since,
        publish_at AS due_at,
        'business'::text AS clock,
        false AS needs_operator,
        '{}'::jsonb AS details
    FROM review_cases
    WHERE state = 'open';
COMMENT ON VIEW saga_waits IS
    'What a purchase waits for here, since when, and when at the latest it should have come.';

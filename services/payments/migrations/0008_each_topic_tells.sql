-- squawk-ignore-file renaming-object
-- Every topic of payments says for itself what is due, in flight, done and waited for: a view each,
-- empty until the topic's own migration fills it, and one view over all that others read.

CREATE VIEW due_transfers AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS due_at
WHERE false;
CREATE VIEW due_disputes AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS due_at
WHERE false;
CREATE VIEW due_credits AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS due_at
WHERE false;
CREATE VIEW due_plans AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS due_at
WHERE false;
CREATE VIEW due_documents AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS due_at
WHERE false;

CREATE VIEW in_flight_transfers AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS since
WHERE false;
CREATE VIEW in_flight_disputes AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS since
WHERE false;
CREATE VIEW in_flight_credits AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS since
WHERE false;
CREATE VIEW in_flight_plans AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS since
WHERE false;
CREATE VIEW in_flight_documents AS
SELECT NULL::text AS kind, NULL::text AS subject, NULL::timestamptz AS since
WHERE false;

CREATE VIEW order_subjects_transfers AS
SELECT NULL::uuid AS order_id, NULL::text AS subject
WHERE false;
CREATE VIEW order_subjects_disputes AS
SELECT NULL::uuid AS order_id, NULL::text AS subject
WHERE false;
CREATE VIEW order_subjects_credits AS
SELECT NULL::uuid AS order_id, NULL::text AS subject
WHERE false;
CREATE VIEW order_subjects_plans AS
SELECT NULL::uuid AS order_id, NULL::text AS subject
WHERE false;
CREATE VIEW order_subjects_documents AS
SELECT NULL::uuid AS order_id, NULL::text AS subject
WHERE false;

CREATE VIEW saga_steps_transfers AS
SELECT
    NULL::uuid AS order_id, NULL::timestamptz AS at, NULL::text AS kind, NULL::text AS what,
    NULL::text AS state, NULL::jsonb AS details
WHERE false;
CREATE VIEW saga_steps_disputes AS
SELECT
    NULL::uuid AS order_id, NULL::timestamptz AS at, NULL::text AS kind, NULL::text AS what,
    NULL::text AS state, NULL::jsonb AS details
WHERE false;
CREATE VIEW saga_steps_credits AS
SELECT
    NULL::uuid AS order_id, NULL::timestamptz AS at, NULL::text AS kind, NULL::text AS what,
    NULL::text AS state, NULL::jsonb AS details
WHERE false;
CREATE VIEW saga_steps_plans AS
SELECT
    NULL::uuid AS order_id, NULL::timestamptz AS at, NULL::text AS kind, NULL::text AS what,
    NULL::text AS state, NULL::jsonb AS details
WHERE false;
CREATE VIEW saga_steps_documents AS
SELECT
    NULL::uuid AS order_id, NULL::timestamptz AS at, NULL::text AS kind, NULL::text AS what,
    NULL::text AS state, NULL::jsonb AS details
WHERE false;

CREATE VIEW saga_waits_transfers AS
SELECT
    NULL::uuid AS order_id, NULL::text AS waits_for, NULL::timestamptz AS since,
    NULL::timestamptz AS due_at, NULL::text AS clock, NULL::boolean AS needs_operator,
    NULL::jsonb AS details
WHERE false;
CREATE VIEW saga_waits_disputes AS
SELECT
    NULL::uuid AS order_id, NULL::text AS waits_for, NULL::timestamptz AS since,
    NULL::timestamptz AS due_at, NULL::text AS clock, NULL::boolean AS needs_operator,
    NULL::jsonb AS details
WHERE false;
CREATE VIEW saga_waits_credits AS
SELECT
    NULL::uuid AS order_id, NULL::text AS waits_for, NULL::timestamptz AS since,
    NULL::timestamptz AS due_at, NULL::text AS clock, NULL::boolean AS needs_operator,
    NULL::jsonb AS details
WHERE false;
CREATE VIEW saga_waits_plans AS
SELECT
    NULL::uuid AS order_id, NULL::text AS waits_for, NULL::timestamptz AS since,
    NULL::timestamptz AS due_at, NULL::text AS clock, NULL::boolean AS needs_operator,
    NULL::jsonb AS details
WHERE false;
CREATE VIEW saga_waits_documents AS
SELECT
    NULL::uuid AS order_id, NULL::text AS waits_for, NULL::timestamptz AS since,
    NULL::timestamptz AS due_at, NULL::text AS clock, NULL::boolean AS needs_operator,
    NULL::jsonb AS details
WHERE false;

ALTER VIEW due RENAME TO due_purchases;
CREATE VIEW due AS
SELECT kind, subject, due_at FROM due_purchases
UNION ALL
SELECT kind, subject, due_at FROM due_transfers
UNION ALL
SELECT kind, subject, due_at FROM due_disputes
UNION ALL
SELECT kind, subject, due_at FROM due_credits
UNION ALL
SELECT kind, subject, due_at FROM due_plans
UNION ALL
SELECT kind, subject, due_at FROM due_documents;
COMMENT ON VIEW due IS
    'What this service will do at a business instant, by topic.';

ALTER VIEW in_flight RENAME TO in_flight_purchases;
CREATE VIEW in_flight AS
SELECT kind, subject, since FROM in_flight_purchases
UNION ALL
SELECT kind, subject, since FROM in_flight_transfers
UNION ALL
SELECT kind, subject, since FROM in_flight_disputes
UNION ALL
SELECT kind, subject, since FROM in_flight_credits
UNION ALL
SELECT kind, subject, since FROM in_flight_plans
UNION ALL
SELECT kind, subject, since FROM in_flight_documents;
COMMENT ON VIEW in_flight IS
    'What was accepted and is not finished, by topic; since is system time.';

ALTER VIEW saga_steps RENAME TO saga_steps_purchases;
CREATE VIEW saga_steps AS
SELECT order_id, at, kind, what, state, details FROM saga_steps_purchases
UNION ALL
SELECT order_id, at, kind, what, state, details FROM saga_steps_transfers
UNION ALL
SELECT order_id, at, kind, what, state, details FROM saga_steps_disputes
UNION ALL
SELECT order_id, at, kind, what, state, details FROM saga_steps_credits
UNION ALL
SELECT order_id, at, kind, what, state, details FROM saga_steps_plans
UNION ALL
SELECT order_id, at, kind, what, state, details FROM saga_steps_documents;
COMMENT ON VIEW saga_steps IS
    'What happened to a purchase here; at is business time.';

ALTER VIEW saga_waits RENAME TO saga_waits_purchases;
CREATE VIEW saga_waits AS
SELECT order_id, waits_for, since, due_at, clock, needs_operator, details FROM saga_waits_purchases
UNION ALL
SELECT order_id, waits_for, since, due_at, clock, needs_operator, details FROM saga_waits_transfers
UNION ALL
SELECT order_id, waits_for, since, due_at, clock, needs_operator, details FROM saga_waits_disputes
UNION ALL
SELECT order_id, waits_for, since, due_at, clock, needs_operator, details FROM saga_waits_credits
UNION ALL
SELECT order_id, waits_for, since, due_at, clock, needs_operator, details FROM saga_waits_plans
UNION ALL
SELECT order_id, waits_for, since, due_at, clock, needs_operator, details FROM saga_waits_documents;
COMMENT ON VIEW saga_waits IS
    'What a purchase waits for here, since when, and when at the latest it should have come; since and due_at are of the clock that clock names.';

CREATE OR REPLACE VIEW order_subjects AS
SELECT order_id, order_id::text AS subject FROM orders
UNION ALL
SELECT order_id, session_id::text FROM sessions
UNION ALL
SELECT order_id, refund_id::text FROM refunds
UNION ALL
SELECT DISTINCT order_id, payout_id FROM earnings WHERE payout_id IS NOT NULL
UNION ALL
SELECT order_id, subject FROM order_subjects_transfers
UNION ALL
SELECT order_id, subject FROM order_subjects_disputes
UNION ALL
SELECT order_id, subject FROM order_subjects_credits
UNION ALL
SELECT order_id, subject FROM order_subjects_plans
UNION ALL
SELECT order_id, subject FROM order_subjects_documents;

-- The time of credits does not end, nor is anybody reminded of it, while a bank disputes their payment.

CREATE VIEW frozen_purchases AS
SELECT order_id FROM disputes WHERE state IN ('needs_response', 'under_review');
COMMENT ON VIEW frozen_purchases IS 'Purchases whose payment a bank disputes and has not decided.';

CREATE OR REPLACE VIEW due_credits AS
SELECT 'expire_credits'::text AS kind, lot_id::text AS subject, expires_at AS due_at
FROM lots
WHERE
    remaining > 0
    AND NOT EXISTS (SELECT FROM frozen_purchases AS f WHERE f.order_id = lots.purchase_id)
UNION ALL
SELECT 'remind_of_credits', lot_id::text, remind_at
FROM lots
WHERE
    remaining > 0 AND remind_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM frozen_purchases AS f WHERE f.order_id = lots.purchase_id);

CREATE OR REPLACE VIEW saga_waits_credits AS
SELECT
    purchase_id AS order_id, 'somebody books with what is left, or it expires'::text AS waits_for,
    NULL::timestamptz AS since, expires_at AS due_at, 'business'::text AS clock,
    false AS needs_operator, jsonb_build_object('lot_id', lot_id, 'remaining', remaining) AS details
FROM lots
WHERE
    remaining > 0
    AND NOT EXISTS (SELECT FROM frozen_purchases AS f WHERE f.order_id = lots.purchase_id);

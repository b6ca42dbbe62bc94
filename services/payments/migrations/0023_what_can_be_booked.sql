-- squawk-ignore-file prefer-robust-stmts, require-concurrent-index-creation
-- What nobody can book is not sold, and what was paid ahead of it rests (docs/decisions/0034).

CREATE TABLE standings (
    mentor_id uuid PRIMARY KEY,
    version bigint NOT NULL DEFAULT 0,
    approved boolean NOT NULL DEFAULT true,
    erased boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE standings IS
    'Whether a mentor may take new sessions, as profiles told it last; who offers something was approved, as long as profiles says nothing else.';

ALTER TABLE offered ADD COLUMN unbookable_since timestamptz;
COMMENT ON COLUMN offered.unbookable_since IS
    'Since when nobody can book it: it was withdrawn, or its mentor may not take new sessions.';

ALTER TABLE subscriptions
    ADD COLUMN resting boolean NOT NULL DEFAULT false,
    ADD COLUMN wish_resting boolean;
COMMENT ON COLUMN subscriptions.resting IS
    'Whether nothing is paid because nobody can book its sessions, besides what people paused.';

CREATE INDEX lots_offering ON lots (offering_id);
CREATE VIEW resting_lots AS
SELECT l.lot_id
FROM lots AS l INNER JOIN offered AS o ON l.offering_id = o.offering_id
WHERE
    o.unbookable_since IS NOT NULL AND l.expires_at IS NOT NULL
    AND NOT (l.kind = 'sponsorship' AND l.owner_id IS NULL);
COMMENT ON VIEW resting_lots IS
    'Credits of what nobody can book: their time does not end, and who bought them can have them paid back; what nobody was granted of a fund goes back to the sponsor in its time.';

CREATE OR REPLACE VIEW due_credits AS
SELECT 'expire_credits'::text AS kind, lot_id::text AS subject, expires_at AS due_at
FROM lots
WHERE
    remaining > 0
    AND NOT EXISTS (SELECT FROM frozen_purchases AS f WHERE f.order_id = lots.purchase_id)
    AND NOT EXISTS (SELECT FROM resting_lots AS r WHERE r.lot_id = lots.lot_id)
UNION ALL
SELECT 'remind_of_credits', lot_id::text, remind_at
FROM lots
WHERE
    remaining > 0 AND remind_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM frozen_purchases AS f WHERE f.order_id = lots.purchase_id)
    AND NOT EXISTS (SELECT FROM resting_lots AS r WHERE r.lot_id = lots.lot_id);

CREATE OR REPLACE VIEW saga_waits_credits AS
SELECT
    purchase_id AS order_id, 'somebody books with what is left, or it expires'::text AS waits_for,
    NULL::timestamptz AS since, expires_at AS due_at, 'business'::text AS clock,
    false AS needs_operator, jsonb_build_object('lot_id', lot_id, 'remaining', remaining) AS details
FROM lots
WHERE
    remaining > 0
    AND NOT EXISTS (SELECT FROM frozen_purchases AS f WHERE f.order_id = lots.purchase_id)
    AND NOT EXISTS (SELECT FROM resting_lots AS r WHERE r.lot_id = lots.lot_id)
UNION ALL
SELECT
    l.purchase_id, 'it can be booked again, or its buyer has it paid back', o.unbookable_since,
    NULL, 'business', false, jsonb_build_object('lot_id', l.lot_id, 'remaining', l.remaining)
FROM lots AS l
INNER JOIN resting_lots AS r ON l.lot_id = r.lot_id
INNER JOIN offered AS o ON l.offering_id = o.offering_id
WHERE
    l.remaining > 0
    AND NOT EXISTS (SELECT FROM frozen_purchases AS f WHERE f.order_id = l.purchase_id);

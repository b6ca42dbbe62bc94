-- A lost dispute may still be won: what was bought with the money rests as long as it is away, and
-- what "away" means is said here once.

CREATE VIEW money_away AS
SELECT dispute_id, order_id, opened_at, state = 'lost' AS decided
FROM disputes
WHERE state IN ('needs_response', 'under_review', 'lost');
COMMENT ON VIEW money_away IS
    'Disputes whose money a bank has: until it decides, and afterwards as long as it keeps it.';

CREATE OR REPLACE VIEW frozen_purchases AS
SELECT order_id FROM money_away;
COMMENT ON VIEW frozen_purchases IS
    'Purchases whose payment a bank has: their credits pay for nothing, and their time does not end.';

CREATE OR REPLACE VIEW contested_credits AS
SELECT s.session_id, s.order_id, a.dispute_id, a.opened_at
FROM money_away AS a
INNER JOIN lots AS l ON l.purchase_id = a.order_id
INNER JOIN sessions AS s ON s.lot_id = l.lot_id
WHERE NOT a.decided;

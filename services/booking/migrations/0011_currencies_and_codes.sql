-- squawk-ignore-file prefer-robust-stmts
-- Each mentor is settled in one currency; a purchase carries the promotion code that was named.

CREATE TABLE mentor_currencies (
    mentor_id uuid PRIMARY KEY,
    currency text NOT NULL
);
COMMENT ON TABLE mentor_currencies IS
    'The currency of all that a mentor sells, since the first of it was for sale.';
INSERT INTO mentor_currencies (mentor_id, currency)
SELECT DISTINCT ON (o.mentor_id) o.mentor_id, o.currency
FROM offerings AS o
WHERE o.version > 0
ORDER BY o.mentor_id, (o.state = 'published') DESC, o.offering_id;

ALTER TABLE orders ADD COLUMN promotion_code text;
COMMENT ON COLUMN orders.promotion_code IS
    'The code the mentee named, in capital letters; payments says what it takes off.';

"""The check of codes and amends: how often each is used, by whom, and what it took off."""

from __future__ import annotations

DISCOUNTS_DIFFER = """
SELECT COALESCE(p.code, p.amends_for::text) AS subject,
       format('counts %s uses, has %s', p.used, count(u)) AS detail
FROM payments.promotions AS p
LEFT JOIN payments.promotion_uses AS u
  ON u.promotion_id = p.promotion_id AND u.state <> 'given_back'
GROUP BY p.promotion_id HAVING p.used <> count(u)
UNION ALL
SELECT o.order_id::text,
       format('a code took %s off, known is %s', o.taken_off_minor + s.given_minor,
              COALESCE(u.discount_minor, 0))
FROM payments.orders AS o
JOIN (
    SELECT order_id, sum(discount_minor) AS given_minor FROM payments.sessions GROUP BY order_id
) AS s ON s.order_id = o.order_id
LEFT JOIN payments.promotion_uses AS u ON u.order_id = o.order_id
WHERE o.taken_off_minor + s.given_minor <> COALESCE(u.discount_minor, 0)
UNION ALL
SELECT u.order_id::text, format('uses amends of %s', p.mentee_id)
FROM payments.promotion_uses AS u
JOIN payments.promotions AS p ON p.promotion_id = u.promotion_id AND p.mentee_id <> u.mentee_id
UNION ALL
SELECT s.session_id::text,
       format('the platform gave %s, posted %s', s.discount_minor - COALESCE(r.back, 0),
              COALESCE(l.posted, 0))
FROM payments.sessions AS s
JOIN payments.orders AS o ON o.order_id = s.order_id AND o.state = 'paid'
LEFT JOIN (
    SELECT session_id, sum(discount_minor) AS back FROM payments.refunds GROUP BY session_id
) AS r ON r.session_id = s.session_id
LEFT JOIN (
    SELECT session_id, sum(amount_minor) AS posted FROM payments.ledger_lines
    WHERE account = 'promotions' GROUP BY session_id
) AS l ON l.session_id = s.session_id
WHERE s.discount_minor - COALESCE(r.back, 0) <> COALESCE(l.posted, 0)
"""

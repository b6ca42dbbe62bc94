"""What people wrote to each other, forgotten when one of them is erased."""

from __future__ import annotations

from shared.db import Connection
from shared.ids import PersonId

# Whoever changes an order locks it first and writes back what was read: so does this.
LOCK_ORDERS_OF = """
SELECT order_id FROM orders
WHERE mentee_id = $1 OR mentor_id = $1
ORDER BY order_id
FOR UPDATE
"""
FORGET_WHAT_WAS_SAID = """
UPDATE sessions AS s SET
    cancel_reason = CASE WHEN s.cancelled_by = o.side THEN NULL ELSE s.cancel_reason END,
    objection = CASE WHEN s.objection ->> 'by' = o.side
        THEN s.objection || '{"reason": ""}' ELSE s.objection END,
    proposal = CASE WHEN s.proposal ->> 'by' = o.side
        THEN s.proposal || '{"reason": null}' ELSE s.proposal END
FROM (
    SELECT order_id, CASE WHEN mentee_id = $1 THEN 'mentee' ELSE 'mentor' END AS side
    FROM orders WHERE mentee_id = $1 OR mentor_id = $1
) AS o
WHERE s.order_id = o.order_id
"""
FORGET_ANSWERS = "UPDATE orders SET answers = '[]' WHERE mentee_id = $1"
FORGET_ANSWERS_OF_WAITING = "UPDATE waitlist SET answers = '[]' WHERE person_id = $1"
FORGET_GOALS = "DELETE FROM goals WHERE mentee_id = $1"


async def forget_words(conn: Connection, person_id: PersonId) -> None:
    """Forget a person's reasons, objections, answers and goals; what was decided stays."""
    await conn.execute(LOCK_ORDERS_OF, person_id)
    for statement in (
        FORGET_WHAT_WAS_SAID,
        FORGET_ANSWERS,
        FORGET_ANSWERS_OF_WAITING,
        FORGET_GOALS,
    ):
        await conn.execute(statement, person_id)

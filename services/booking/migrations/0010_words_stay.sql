-- squawk-ignore-file require-concurrent-index-creation
-- What people write stays in booking (docs/decisions/0024): facts that have not left yet lose it.

UPDATE outbox SET
    value = convert_to((convert_from(value, 'UTF8')::jsonb - 'reason')::text, 'UTF8')
WHERE topic = 'booking.orders'
  AND NOT headers @> '[["ce_type", "mentorium.booking.BookingLost"]]';

-- Why an objection was decided as it was is read from here; only the log of deeds kept it so far.
UPDATE sessions AS s SET
    objection = s.objection || jsonb_build_object('decision', l.reason)
FROM operator_log AS l
WHERE l.action = 'settle_objection'
  AND l.outcome = 'done'
  AND l.details ->> 'session_id' = s.session_id::text
  AND s.objection ->> 'settled_at' IS NOT NULL;

-- How often each side asked for another time of a session, whatever came of it.
ALTER TABLE sessions
    ADD COLUMN mentee_proposals bigint NOT NULL DEFAULT 0,
    ADD COLUMN mentor_proposals bigint NOT NULL DEFAULT 0;

-- Whoever asked in vain is told of the mentor whose price is nearest, found from both sides of it.
CREATE INDEX offerings_for_sale ON offerings (currency, price_minor) WHERE state = 'published';
CREATE INDEX openings_offering ON openings (offering_id);

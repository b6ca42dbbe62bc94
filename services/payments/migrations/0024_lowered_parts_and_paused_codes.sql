-- squawk-ignore-file adding-not-nullable-field, constraint-missing-not-valid, prefer-robust-stmts
-- What a code of the mentor's took off each session's part, so that papers name the price that was
-- agreed. Of series bought before only the whole is known; it goes to the first part.

ALTER TABLE sessions
    ADD COLUMN taken_off_minor bigint NOT NULL DEFAULT 0
    CONSTRAINT sessions_taken_off CHECK (taken_off_minor >= 0);
COMMENT ON COLUMN sessions.taken_off_minor IS
    'What a code of the mentor''s lowered its price by; the price is what is left.';

UPDATE sessions SET taken_off_minor = o.taken_off_minor
FROM orders AS o
WHERE
    o.order_id = sessions.order_id AND o.taken_off_minor > 0
    AND sessions.place = (
        SELECT min(s.place) FROM sessions AS s
        WHERE s.order_id = o.order_id AND s.lot_id IS NULL
    );

-- Which side paused a code: what operators paused, a mentor does not take up again.
ALTER TABLE promotions
    ADD COLUMN paused_by text
    CONSTRAINT promotions_paused_by CHECK (paused_by IN ('mentor', 'operator'));
COMMENT ON COLUMN promotions.paused_by IS
    'Which side paused it; none where it is not paused, or was before this was kept.';

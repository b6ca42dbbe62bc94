-- squawk-ignore-file adding-foreign-key-constraint, ban-drop-not-null, constraint-missing-not-valid, prefer-robust-stmts, require-concurrent-index-creation
-- Amends: a promotion without a code, which one person uses by paying. What is left of it is what
-- its uses have not taken.

ALTER TABLE promotions
    ALTER COLUMN code DROP NOT NULL,
    ALTER COLUMN made_by DROP NOT NULL,
    ADD COLUMN mentee_id uuid,
    ADD COLUMN amends_for uuid,
    ADD CONSTRAINT promotions_session FOREIGN KEY (amends_for) REFERENCES sessions (session_id),
    ADD CONSTRAINT promotions_amends CHECK (
        (
            code IS NOT NULL AND made_by IS NOT NULL
            AND mentee_id IS NULL AND amends_for IS NULL
        )
        OR (
            code IS NULL AND made_by IS NULL AND paid_by = 'platform'
            AND mentee_id IS NOT NULL AND amends_for IS NOT NULL
            AND amount_minor IS NOT NULL AND ends_at IS NOT NULL
        )
    );
COMMENT ON COLUMN promotions.code IS 'What has to be named to use it; amends have none.';
COMMENT ON COLUMN promotions.mentee_id IS 'Who alone may use it: amends are one person''s.';
COMMENT ON COLUMN promotions.amends_for IS
    'The session that did not take place, which is made amends for once.';
CREATE UNIQUE INDEX promotions_amends_for ON promotions (amends_for);
CREATE INDEX promotions_mentee ON promotions (mentee_id, made_at) WHERE mentee_id IS NOT NULL;

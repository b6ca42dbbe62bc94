-- squawk-ignore-file adding-foreign-key-constraint, adding-serial-primary-key-field, ban-drop-column, ban-drop-constraint, constraint-missing-not-valid, disallowed-unique-constraint, require-concurrent-index-creation
-- A purchase has sessions of its own: one, or those of a series; versions count per purchase.
-- Nothing was released before this migration, so what moved goes at once (docs/decisions/0019).

CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    mentor_id uuid NOT NULL,
    mentee_id uuid NOT NULL,
    title text NOT NULL,
    free boolean NOT NULL,
    requested boolean NOT NULL,
    version bigint NOT NULL
);
COMMENT ON TABLE orders IS 'Every purchase as booking told it last; what becomes of it stands on its sessions.';

INSERT INTO orders (order_id, mentor_id, mentee_id, title, free, requested, version)
SELECT order_id, mentor_id, mentee_id, title, false, false, version FROM sessions;

ALTER TABLE messages DROP CONSTRAINT messages_order_fkey;
ALTER TABLE messages ADD CONSTRAINT messages_order_fkey
    FOREIGN KEY (order_id) REFERENCES orders (order_id);

CREATE OR REPLACE VIEW saga_steps AS
    SELECT order_id, at, kind, what, state, details FROM kit_saga_steps
    UNION ALL
    SELECT
        m.order_id,
        COALESCE(m.acted_at, m.planned_at),
        m.channel,
        m.kind,
        m.state,
        jsonb_strip_nulls(jsonb_build_object(
            'to', CASE m.person_id WHEN o.mentor_id THEN 'mentor' ELSE 'mentee' END,
            'planned_at', m.planned_at,
            'attempts', NULLIF(m.attempts, 0),
            'reason', m.reason
        ))
    FROM messages AS m INNER JOIN orders AS o ON m.order_id = o.order_id;

ALTER TABLE sessions
    DROP CONSTRAINT sessions_pkey,
    DROP CONSTRAINT sessions_session_id_key,
    DROP CONSTRAINT sessions_state_known,
    DROP COLUMN mentor_id,
    DROP COLUMN mentee_id,
    DROP COLUMN title,
    DROP COLUMN version,
    ADD COLUMN missed_by text,
    ADD COLUMN proposed_by text,
    ADD COLUMN proposal bigint,
    ADD COLUMN objected boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (session_id),
    ADD CONSTRAINT sessions_order_fkey FOREIGN KEY (order_id) REFERENCES orders (order_id),
    ADD CONSTRAINT sessions_state_known CHECK (
        state IN (
            'requested', 'offered', 'held', 'confirmed', 'declined', 'lapsed', 'expired', 'lost',
            'cancelled', 'completed', 'no_show'
        )
    ),
    ADD CONSTRAINT sessions_proposal_is_whole CHECK (
        (proposed_by IS NULL) = (proposal IS NULL)
    );
CREATE INDEX sessions_order ON sessions (order_id, starts_at);
COMMENT ON TABLE sessions IS
    'Every session of a purchase as booking told it last; proposed_by and proposal (the version of the fact) while a move waits for an answer, objected while an operator has to decide.';

ALTER TABLE messages
    ADD COLUMN session_id uuid
    CONSTRAINT messages_session_fkey REFERENCES sessions (session_id);
COMMENT ON COLUMN messages.session_id IS
    'The session it is about; empty where it is about the whole purchase, or about none.';

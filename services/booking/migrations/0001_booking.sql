-- Time: what is offered, when, and what of it is sold.

CREATE TABLE people (
    person_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    verified boolean NOT NULL,
    mentor_state text NOT NULL
);
COMMENT ON TABLE people IS 'What profiles says about people; the row with the highest version counts.';

CREATE TABLE accounts (
    mentor_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    can_receive boolean NOT NULL
);
COMMENT ON TABLE accounts IS 'What payments says about the connected accounts of mentors.';

CREATE TABLE availability (
    mentor_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    zone text NOT NULL,
    weekly jsonb NOT NULL,
    room_url text NOT NULL
);
COMMENT ON TABLE availability IS 'Weekly hours on the clocks of a zone, in minutes after midnight, and the room.';

CREATE TABLE offerings (
    offering_id uuid PRIMARY KEY,
    mentor_id uuid NOT NULL,
    state text NOT NULL,
    revision bigint NOT NULL,
    version bigint NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    minutes bigint NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    buffer_before_minutes bigint NOT NULL,
    buffer_after_minutes bigint NOT NULL,
    minimum_notice_minutes bigint NOT NULL,
    horizon_days bigint NOT NULL,
    cancellation_preset text NOT NULL,
    CONSTRAINT offerings_state CHECK (state IN ('draft', 'published', 'withdrawn')),
    CONSTRAINT offerings_minutes CHECK (minutes > 0),
    CONSTRAINT offerings_price CHECK (price_minor > 0),
    CONSTRAINT offerings_buffers CHECK (buffer_before_minutes >= 0 AND buffer_after_minutes >= 0)
);
COMMENT ON TABLE offerings IS 'What mentors sell; revision counts edits, version counts facts told.';
CREATE INDEX offerings_mentor ON offerings (mentor_id, offering_id);

CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    session_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    mentee_id uuid NOT NULL,
    title text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    buffer_before_minutes bigint NOT NULL,
    buffer_after_minutes bigint NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    policy jsonb NOT NULL,
    state text NOT NULL,
    hold_until timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    completes_at timestamptz NOT NULL,
    version bigint NOT NULL,
    calendar_sequence bigint NOT NULL,
    confirmed_at timestamptz,
    cancelled_by text,
    cancel_reason text,
    refund_basis_points bigint,
    lost_reason text,
    completed_by text,
    completed_at timestamptz,
    CONSTRAINT orders_session UNIQUE (session_id),
    CONSTRAINT orders_offering FOREIGN KEY (offering_id) REFERENCES offerings (offering_id),
    CONSTRAINT orders_two_people CHECK (mentor_id <> mentee_id),
    CONSTRAINT orders_times CHECK (ends_at > starts_at AND expires_at >= hold_until),
    CONSTRAINT orders_state CHECK (
        state IN ('held', 'confirmed', 'completed', 'expired', 'cancelled', 'lost')
    ),
    CONSTRAINT orders_confirmed CHECK (
        confirmed_at IS NOT NULL OR state NOT IN ('confirmed', 'completed')
    ),
    CONSTRAINT orders_lost CHECK ((state = 'lost') = (lost_reason IS NOT NULL)),
    CONSTRAINT orders_cancelled CHECK (
        cancelled_by IS NOT NULL OR state <> 'cancelled'
    ),
    CONSTRAINT orders_completed CHECK ((state = 'completed') = (completed_at IS NOT NULL)),
    CONSTRAINT orders_refund CHECK (
        refund_basis_points IS NULL
        OR (refund_basis_points BETWEEN 0 AND 10000 AND state = 'cancelled')
    )
);
COMMENT ON TABLE orders IS 'One purchase of one session; price, times, policy and deadlines are frozen at the hold.';
CREATE INDEX orders_offering_id ON orders (offering_id);
CREATE INDEX orders_mentee ON orders (mentee_id, order_id);
CREATE INDEX orders_mentor ON orders (mentor_id, order_id);
CREATE INDEX orders_state_order ON orders (state, order_id);
CREATE INDEX orders_to_expire ON orders (expires_at) WHERE state = 'held';
CREATE INDEX orders_to_complete ON orders (completes_at) WHERE state = 'confirmed';

CREATE TABLE participations (
    participation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid NOT NULL,
    person_id uuid NOT NULL,
    during tstzrange NOT NULL,
    active boolean NOT NULL,
    CONSTRAINT participations_session FOREIGN KEY (session_id) REFERENCES orders (session_id),
    CONSTRAINT participations_half_open CHECK (
        lower_inc(during) AND NOT upper_inc(during) AND NOT isempty(during)
    ),
    CONSTRAINT participations_sold_once
    EXCLUDE USING gist (person_id WITH =, during WITH &&) WHERE (active)
);
COMMENT ON TABLE participations IS 'The sale of time: one active row per person and session, and no two of a person overlap. The mentor''s row spans the buffers too.';
CREATE INDEX participations_session_id ON participations (session_id);

CREATE TABLE attendance (
    attendance_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid NOT NULL,
    person_id uuid NOT NULL,
    joined_at timestamptz NOT NULL,
    left_at timestamptz,
    CONSTRAINT attendance_session FOREIGN KEY (session_id) REFERENCES orders (session_id),
    CONSTRAINT attendance_in_order CHECK (left_at >= joined_at)
);
COMMENT ON TABLE attendance IS 'Who was in the room of a session, from when to when.';
CREATE UNIQUE INDEX attendance_present ON attendance (session_id, person_id) WHERE left_at IS NULL;
CREATE INDEX attendance_session_id ON attendance (session_id);

CREATE TABLE goals (
    goal_id uuid PRIMARY KEY,
    mentee_id uuid NOT NULL,
    mentor_id uuid,
    version bigint NOT NULL,
    title text NOT NULL,
    measure text,
    target_on date,
    state text NOT NULL,
    CONSTRAINT goals_state CHECK (state IN ('open', 'reached', 'dropped'))
);
COMMENT ON TABLE goals IS 'What mentees want to reach.';
CREATE INDEX goals_mentee ON goals (mentee_id, goal_id);

CREATE VIEW due AS
SELECT
    'hold_expiry'::text AS kind,
    o.order_id::text AS subject,
    o.expires_at AS due_at
FROM orders AS o
WHERE o.state = 'held'
UNION ALL
SELECT
    'completion',
    o.session_id::text,
    o.completes_at
FROM orders AS o
WHERE o.state = 'confirmed';
COMMENT ON VIEW due IS 'What this service will do by itself, and at which business instant.';

CREATE VIEW in_flight AS
SELECT
    k.kind,
    k.subject,
    k.since
FROM kit_in_flight AS k;
COMMENT ON VIEW in_flight IS 'Work accepted and not finished.';

CREATE VIEW overlapping_participations AS
SELECT
    one.person_id,
    one.session_id AS one_session_id,
    other.session_id AS other_session_id
FROM participations AS one
INNER JOIN participations AS other
    ON
        one.person_id = other.person_id
        AND one.during && other.during
        AND one.participation_id < other.participation_id
WHERE one.active AND other.active;
COMMENT ON VIEW overlapping_participations IS 'Time sold twice: empty, always; for whoever verifies.';

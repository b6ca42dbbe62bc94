-- When each mentor is free next: kept by what happens to their time, told to search.

CREATE TABLE openings_to_do (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mentor_id uuid NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE openings_to_do IS 'Mentors whose time changed since it was looked at; only ever added to by whoever changes it, so that two sales of one mentor do not wait for each other. recorded_at is system time.';
CREATE INDEX openings_to_do_mentor ON openings_to_do (mentor_id);

CREATE TABLE openings (
    mentor_id uuid PRIMARY KEY,
    next_free_at timestamptz,
    offering_id uuid,
    version bigint NOT NULL,
    look_again_at timestamptz,
    amiss text,
    audited_at timestamptz,
    CONSTRAINT openings_of_an_offering CHECK ((next_free_at IS NULL) = (offering_id IS NULL))
);
COMMENT ON TABLE openings IS 'The first start of each mentor that can be booked, as it was told, and when time alone makes it another one. That is not in the view due: it comes every half hour for each mentor, costs nobody anything when it is late, and the clock of development would stop at each.';
COMMENT ON COLUMN openings.amiss IS 'What the auditor found instead of what was told; ops verify reports it. audited_at is system time.';
CREATE INDEX openings_to_look_at ON openings (look_again_at);
CREATE INDEX openings_to_audit ON openings ((amiss IS NULL), audited_at NULLS FIRST);

INSERT INTO openings_to_do (mentor_id) SELECT DISTINCT o.mentor_id FROM offerings AS o;

CREATE OR REPLACE VIEW in_flight AS
SELECT
    k.kind,
    k.subject,
    k.since
FROM kit_in_flight AS k
UNION ALL
SELECT
    'openings'::text,
    t.mentor_id::text,
    min(t.recorded_at)
FROM openings_to_do AS t
GROUP BY t.mentor_id;

-- When each mentor is free next, as booking tells it, and the order in which search shows that.

CREATE TABLE openings (
    mentor_id uuid CONSTRAINT openings_key PRIMARY KEY,
    next_free_at timestamptz,
    version bigint NOT NULL
);
COMMENT ON TABLE openings IS 'Projection of booking.openings, for search alone.';
CREATE INDEX openings_soonest ON openings (next_free_at, mentor_id) WHERE next_free_at IS NOT NULL;

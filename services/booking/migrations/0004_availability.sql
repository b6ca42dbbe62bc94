-- Mentors travel, and single dates have hours of their own or none.

ALTER TABLE availability
    ADD COLUMN travels jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN overrides jsonb NOT NULL DEFAULT '[]';
COMMENT ON TABLE availability IS
    'Weekly hours on the clocks of a zone, in minutes after midnight, days in other zones, dates with hours of their own, and the room.';

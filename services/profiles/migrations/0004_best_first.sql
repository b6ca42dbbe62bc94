-- The order in which mentors are shown to whoever searches without words: best first, then by id.

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX mentor_profiles_best ON mentor_profiles ((- rating_mean), person_id);

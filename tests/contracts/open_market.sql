-- On top of tests/ops/planted.sql: the mentor is found and can be booked, one session is to come, and
-- the operator has an account.

INSERT INTO profiles.people (person_id, email, name, locale, zone, wants, password_hash, verified,
                             mentor_state, version, contact_version, message_version, registered_at)
VALUES ('00000000-0000-0000-0000-00000000000c', 'c@x.test', 'C', 'en', 'UTC', 'mentee', 'h', true,
        'none', 2, 1, 1, '2026-01-01Z');
UPDATE booking.accounts SET can_receive = true;
UPDATE payments.accounts SET can_receive = true;
INSERT INTO booking.availability (mentor_id, version, zone, weekly, room_url)
SELECT '00000000-0000-0000-0000-00000000000a', 1, 'UTC',
       jsonb_agg(jsonb_build_array(day, 0, 1440)), 'https://meet.example.test/room'
FROM generate_series(0, 6) AS day;
UPDATE booking.orders SET state = 'confirmed', confirmed_at = now()
WHERE order_id = '00000000-0000-0000-0000-000000000002';
UPDATE booking.sessions
SET state = 'confirmed', starts_at = now() + interval '3 days',
    ends_at = now() + interval '3 days 1 hour', completes_at = now() + interval '4 days',
    cancelled_by = NULL, refund_basis_points = NULL
WHERE order_id = '00000000-0000-0000-0000-000000000002';

INSERT INTO profiles.mentor_profiles (person_id, headline, story, expertise, languages, industries,
                                      years, version, rating_mean)
VALUES ('00000000-0000-0000-0000-00000000000a', 'H', 'S', '{leadership}', '{en}', '{}', 5, 1, 4.0);
INSERT INTO profiles.offerings (offering_id, mentor_id, price_minor, currency, published, version)
VALUES ('00000000-0000-0000-0000-0000000000ff', '00000000-0000-0000-0000-00000000000a', 12000,
        'USD', true, 1);

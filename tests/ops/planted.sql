-- A small marketplace in which all is well: order 1 completed and paid out to the mentor, order 2
-- cancelled with half the price back, order 3 lost and refunded in full, order 4 a series of which
-- the mentor missed the first session and the mentee objected to the second, in vain. Each session costs
-- 120.00 USD.

SET search_path = payments, extensions;

INSERT INTO profiles.people (person_id, email, name, locale, zone, wants, password_hash, verified,
                             mentor_state, version, contact_version, message_version, registered_at)
VALUES ('00000000-0000-0000-0000-00000000000a', 'a@x.test', 'A', 'en', 'UTC', 'mentor', 'h', true,
        'approved', 4, 1, 1, '2026-01-01Z'),
       ('00000000-0000-0000-0000-00000000000b', 'b@x.test', 'B', 'en', 'UTC', 'mentee', 'h', true,
        'none', 2, 1, 1, '2026-01-01Z');
INSERT INTO booking.people (person_id, version, verified, mentor_state)
VALUES ('00000000-0000-0000-0000-00000000000a', 4, true, 'approved'),
       ('00000000-0000-0000-0000-00000000000b', 2, true, 'none');

INSERT INTO profiles.review_cases (session_id, order_id, mentor_id, mentee_id, state, publish_at,
                                   version)
VALUES ('00000000-0000-0000-0000-000000000101', '00000000-0000-0000-0000-000000000001',
        '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b', 'open',
        '2026-02-15Z', 1);
INSERT INTO booking.goals (goal_id, mentee_id, version, title, state)
VALUES ('00000000-0000-0000-0000-0000000000ee', '00000000-0000-0000-0000-00000000000b', 1, 'G',
        'open');
INSERT INTO booking.calendars (calendar_id, mentor_id, name, url, next_fetch_at)
VALUES ('00000000-0000-0000-0000-0000000000dd', '00000000-0000-0000-0000-00000000000a', 'C',
        'https://calendar.example.com/secret.ics', '2100-01-01Z');

INSERT INTO payments.accounts (mentor_id, country, return_url, refresh_url, stripe_account_id,
                               can_receive, begun_at, version)
VALUES ('00000000-0000-0000-0000-00000000000a', 'US', 'https://x', 'https://x', 'acct_1', true,
        '2026-01-01Z', 2);
INSERT INTO booking.accounts (mentor_id, version, can_receive)
VALUES ('00000000-0000-0000-0000-00000000000a', 2, true);

INSERT INTO booking.offerings (offering_id, mentor_id, state, revision, version, title, description,
                               minutes, price_minor, currency, buffer_before_minutes,
                               buffer_after_minutes, minimum_notice_minutes, horizon_days,
                               cancellation_preset)
VALUES ('00000000-0000-0000-0000-0000000000ff', '00000000-0000-0000-0000-00000000000a',
        'published', 1, 1, 'T', 'D', 60, 12000, 'USD', 0, 0, 0, 30, 'standard');
INSERT INTO booking.openings (mentor_id, next_free_at, offering_id, version)
VALUES ('00000000-0000-0000-0000-00000000000a', '2026-03-01Z',
        '00000000-0000-0000-0000-0000000000ff', 2);
INSERT INTO profiles.openings (mentor_id, next_free_at, version)
VALUES ('00000000-0000-0000-0000-00000000000a', '2026-03-01Z', 2);
INSERT INTO booking.waitlist (entry_id, offering_id, mentor_id, person_id, starts_from, until, answers)
VALUES ('00000000-0000-0000-0000-0000000000cc', '00000000-0000-0000-0000-0000000000ff',
        '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b',
        '2026-02-05Z', '2026-02-06Z', '[]');
INSERT INTO booking.orders (order_id, offering_id, mentor_id, mentee_id, title,
                            buffer_before_minutes, buffer_after_minutes, price_minor, currency,
                            policy, state, hold_until, expires_at, version, confirmed_at,
                            lost_reason)
SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid,
       '00000000-0000-0000-0000-0000000000ff', '00000000-0000-0000-0000-00000000000a',
       '00000000-0000-0000-0000-00000000000b', 'T', 0, 0, CASE WHEN n = 4 THEN 24000 ELSE 12000 END,
       'USD', '{"preset": "standard", "policy_version": 1, "steps": [[24, 10000]]}', state,
       '2026-01-02Z', '2026-01-02Z', 3,
       CASE WHEN n <> 3 THEN '2026-01-02Z'::timestamptz END,
       CASE WHEN n = 3 THEN 'time_sold' END
FROM (VALUES (1, 'completed'), (2, 'cancelled'), (3, 'lost'), (4, 'completed')) AS rows (n, state);
INSERT INTO booking.sessions (session_id, order_id, starts_at, ends_at, price_minor, state,
                              completes_at, cancelled_by, refund_basis_points, completed_by,
                              completed_at, missed_by, objection)
SELECT ('00000000-0000-0000-0000-00000000010' || n)::uuid,
       ('00000000-0000-0000-0000-00000000000' || least(n, 4))::uuid, day, day + interval '1 hour',
       12000, state, day + interval '25 hours', CASE WHEN n = 2 THEN 'mentee' END,
       CASE n WHEN 2 THEN 5000 WHEN 4 THEN 10000 END,
       CASE WHEN state = 'completed' THEN 'mentee' END,
       CASE WHEN state = 'completed' THEN day + interval '2 hours' END,
       CASE WHEN n = 4 THEN 'mentor' END,
       CASE WHEN n = 5 THEN '{"by": "mentee", "reason": "R", "raised_at": "2026-02-05T03:00:00Z",
                              "settled_at": "2026-02-06T00:00:00Z"}'::jsonb END
FROM (VALUES (1, '2026-02-01Z'::timestamptz, 'completed'), (2, '2026-02-02Z', 'cancelled'),
             (3, '2026-02-03Z', 'lost'), (4, '2026-02-04Z', 'no_show'),
             (5, '2026-02-05Z', 'completed')) AS rows (n, day, state);
INSERT INTO booking.participations (session_id, person_id, during, active)
SELECT s.session_id, person, tstzrange(s.starts_at, s.ends_at, '[)'), s.state IN ('completed', 'no_show')
FROM booking.orders AS o JOIN booking.sessions AS s ON s.order_id = o.order_id
CROSS JOIN LATERAL unnest(ARRAY[o.mentor_id, o.mentee_id]) AS person;

INSERT INTO payments.orders (order_id, mentor_id, mentee_id, title, price_minor, currency,
                             platform_share_basis_points, release_delay_seconds, hold_until, state,
                             close_at, charge_id, stripe_fee_minor, paid_at, opened_at)
SELECT o.order_id, o.mentor_id, o.mentee_id, o.title, o.price_minor, o.currency, 1500, 172800,
       o.hold_until, 'paid', o.hold_until, 'ch_' || right(o.order_id::text, 1), 378, '2026-01-02Z',
       '2026-01-02Z'
FROM booking.orders AS o;
INSERT INTO payments.promotions (promotion_id, code, paid_by, made_by, made_at,
                                percent_basis_points, mentor_id, first_purchase_only)
VALUES ('00000000-0000-0000-0000-0000000000b1', 'PLANTED', 'mentor',
        '00000000-0000-0000-0000-00000000000a', '2026-03-01T00:00:00Z', 1000,
        '00000000-0000-0000-0000-00000000000a', false);
INSERT INTO payments.offered (offering_id, mentor_id, title, minutes, price_minor, currency,
                              published, version)
VALUES ('00000000-0000-0000-0000-0000000000ff', '00000000-0000-0000-0000-00000000000a', 'T', 60,
        12000, 'USD', true, 1);
INSERT INTO payments.packages (package_id, offering_id, mentor_id, sessions, unit_minor, currency,
                               valid_months)
VALUES ('00000000-0000-0000-0000-0000000000f2', '00000000-0000-0000-0000-0000000000ff',
        '00000000-0000-0000-0000-00000000000a', 3, 10000, 'USD', 6);
INSERT INTO payments.orders (order_id, mentor_id, mentee_id, title, price_minor, currency, kind,
                             platform_share_basis_points, release_delay_seconds, hold_until, state,
                             close_at, closed_because, opened_at)
VALUES ('00000000-0000-0000-0000-0000000000f1', '00000000-0000-0000-0000-00000000000a',
        '00000000-0000-0000-0000-00000000000b', '3 × T', 30000, 'USD', 'package', 1500, 172800,
        '2026-01-02Z', 'closed', '2026-01-02Z', 'expired', '2026-01-01Z');
INSERT INTO payments.lots (lot_id, purchase_id, kind, buyer_id, owner_id, mentor_id, offering_id,
                           title, minutes, list_price_minor, unit_minor, currency, sessions,
                           valid_months, remaining)
VALUES ('00000000-0000-0000-0000-0000000000f3', '00000000-0000-0000-0000-0000000000f1', 'package',
        '00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-00000000000b',
        '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-0000000000ff', 'T', 60,
        12000, 10000, 'USD', 3, 6, 0);
INSERT INTO payments.plans (plan_id, mentor_id, offering_id, sessions, unit_minor, currency)
VALUES ('00000000-0000-0000-0000-0000000000f4', '00000000-0000-0000-0000-00000000000a',
        '00000000-0000-0000-0000-0000000000ff', 4, 10000, 'USD');
INSERT INTO payments.subscriptions (subscription_id, plan_id, mentor_id, mentee_id,
                                    platform_share_basis_points, release_delay_seconds, begun_at,
                                    state, ended_at, ended_because)
VALUES ('00000000-0000-0000-0000-0000000000f5', '00000000-0000-0000-0000-0000000000f4',
        '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-00000000000b', 1500,
        172800, '2026-01-01Z', 'ended', '2026-02-01Z', 'wished');
INSERT INTO payments.sessions (session_id, order_id, place, price_minor, decision)
SELECT session_id, order_id, right(session_id::text, 1)::int, price_minor, state
FROM booking.sessions;
INSERT INTO payments.earnings (session_id, order_id, mentor_id, currency, retained_minor, mentor_minor,
                               platform_minor, due_at, released_at, transfer_state, gone_minor,
                               payable_minor)
VALUES ('00000000-0000-0000-0000-000000000101', '00000000-0000-0000-0000-000000000001',
        '00000000-0000-0000-0000-00000000000a', 'USD', 12000, 10200, 1800, '2026-02-05Z',
        '2026-02-05Z', 'sent', 0, 0),
       ('00000000-0000-0000-0000-000000000102', '00000000-0000-0000-0000-000000000002',
        '00000000-0000-0000-0000-00000000000a', 'USD', 6000, 5100, 900, '2026-02-05Z',
        '2026-02-05Z', 'waiting', 6000, 5100),
       ('00000000-0000-0000-0000-000000000103', '00000000-0000-0000-0000-000000000003',
        '00000000-0000-0000-0000-00000000000a', 'USD', 0, 0, 0, NULL, NULL, 'nothing', 12000, 0),
       ('00000000-0000-0000-0000-000000000104', '00000000-0000-0000-0000-000000000004',
        '00000000-0000-0000-0000-00000000000a', 'USD', 0, 0, 0, NULL, NULL, 'nothing', 12000, 0),
       ('00000000-0000-0000-0000-000000000105', '00000000-0000-0000-0000-000000000004',
        '00000000-0000-0000-0000-00000000000a', 'USD', 12000, 10200, 1800, '2100-01-01Z', NULL,
        'waiting', 0, 0);
INSERT INTO payments.transfers (transfer_id, order_id, session_id, mentor_id, number, amount_minor,
                                currency, state, stripe_transfer_id, planned_at, sent_at)
SELECT order_id, order_id, session_id, mentor_id, 1, mentor_minor, currency, 'sent', 'tr_1',
       released_at, released_at
FROM payments.earnings WHERE transfer_state = 'sent';
UPDATE payments.accounts SET can_receive = false;
UPDATE booking.accounts SET can_receive = false;
INSERT INTO payments.disputes (dispute_id, order_id, amount_minor, currency, reason, state,
                               opened_at)
SELECT 'du_1', order_id, 12000, 'USD', 'general', 'warning_needs_response', '2026-01-03Z'
FROM payments.orders WHERE order_id = '00000000-0000-0000-0000-000000000001';
INSERT INTO payments.refunds (refund_id, order_id, session_id, amount_minor, currency, reason,
                              state, stripe_refund_id, planned_at)
SELECT ('00000000-0000-0000-0000-00000000020' || n)::uuid,
       ('00000000-0000-0000-0000-00000000000' || n)::uuid,
       ('00000000-0000-0000-0000-00000000010' || n)::uuid, minor, 'USD', reason, 'settled',
       're_' || n, '2026-01-03Z'
FROM (VALUES (2, 6000, 'cancelled'), (3, 12000, 'booking_lost'), (4, 12000, 'cancelled'))
    AS rows (n, minor, reason);

-- Lines of orders 1 to 3 are from before sessions had parts, those of order 4 name their session.
CREATE FUNCTION pg_temp.post(kind text, n int, debit text, credit text, minor bigint)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO payments.ledger_entries (entry_id, cause, kind, happened_at, source)
    VALUES (md5(kind || n)::uuid, kind || ':' || n, kind, '2026-01-03Z',
            CASE WHEN kind IN ('payment', 'stripe_fee') THEN 'ch_' || least(n, 4)
                 WHEN kind = 'refund_settled' THEN 're_' || n
                 WHEN kind = 'transfer' THEN 'tr_' || n END)
    ON CONFLICT DO NOTHING;
    INSERT INTO payments.ledger_lines (entry_id, line_number, account, order_id, session_id,
                                       amount_minor, currency)
    SELECT md5(kind || n)::uuid,
           line + (SELECT count(*) FROM payments.ledger_lines WHERE entry_id = md5(kind || n)::uuid),
           account, ('00000000-0000-0000-0000-00000000000' || least(n, 4))::uuid,
           CASE WHEN n >= 4 THEN ('00000000-0000-0000-0000-00000000010' || n)::uuid END, amount,
           'USD'
    FROM (VALUES (1, debit, minor), (2, credit, -minor)) AS lines (line, account, amount);
$$;
SELECT pg_temp.post('payment', n, 'stripe_balance', 'session_clearing', 12000),
       pg_temp.post('stripe_fee', n, 'stripe_fees', 'stripe_balance', 378)
FROM generate_series(1, 4) AS n;
SELECT pg_temp.post('payment', 5, 'stripe_balance', 'session_clearing', 12000),
       pg_temp.post('refund_planned', 4, 'session_clearing', 'refunds_in_transit', 12000),
       pg_temp.post('refund_settled', 4, 'refunds_in_transit', 'stripe_balance', 12000);
SELECT pg_temp.post('refund_planned', 2, 'session_clearing', 'refunds_in_transit', 6000),
       pg_temp.post('refund_settled', 2, 'refunds_in_transit', 'stripe_balance', 6000),
       pg_temp.post('refund_planned', 3, 'session_clearing', 'refunds_in_transit', 12000),
       pg_temp.post('refund_settled', 3, 'refunds_in_transit', 'stripe_balance', 12000),
       pg_temp.post('release', 1, 'session_clearing', 'mentor_payable', 10200),
       pg_temp.post('release', 1, 'session_clearing', 'platform_revenue', 1800),
       pg_temp.post('release', 2, 'session_clearing', 'mentor_payable', 5100),
       pg_temp.post('release', 2, 'session_clearing', 'platform_revenue', 900),
       pg_temp.post('transfer', 1, 'mentor_payable', 'stripe_balance', 10200);

-- The first paid session has its receipt, and the mentor a statement of a month without anything.
INSERT INTO payments.document_counters (series, year, last_number) VALUES ('R', 2026, 1);
INSERT INTO payments.documents (document_id, series, year, number, entry_id, order_id, person_id,
                                amount_minor, currency, issued_at, content)
SELECT '00000000-0000-0000-0000-0000000000dc', 'R', 2026, 1, md5('payment1')::uuid, order_id,
       mentee_id, 12000, 'USD', '2026-01-03Z', jsonb_build_object(
           'order_id', order_id, 'mentor_id', mentor_id, 'title', title, 'kind', 'sessions',
           'items', jsonb_build_array(jsonb_build_object('words', title, 'amount_minor', 12000)),
           'amount_minor', 12000, 'currency', 'USD', 'happened_at', '2026-01-03T00:00:00Z')
FROM payments.orders WHERE order_id = '00000000-0000-0000-0000-000000000001';
INSERT INTO payments.statement_months (period_from, period_until, closed_at)
VALUES ('2026-01-01Z', '2026-02-01Z', '2026-02-02Z');
INSERT INTO payments.statements (statement_id, mentor_id, currency, period_from, period_until,
                                 opening_minor, closing_minor, made_at, content)
SELECT '00000000-0000-0000-0000-0000000000de', mentor_id, 'USD', '2026-01-01Z', '2026-02-01Z', 0, 0,
       '2026-02-02Z', '{"movements": [], "payouts": []}'
FROM payments.orders WHERE order_id = '00000000-0000-0000-0000-000000000001';

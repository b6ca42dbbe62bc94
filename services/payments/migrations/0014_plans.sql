-- squawk-ignore-file adding-foreign-key-constraint, constraint-missing-not-valid, prefer-robust-stmts, require-concurrent-index-creation
-- Plans: a monthly mentorship with sessions included; every month that is paid is a purchase of credits.

CREATE TABLE plans (
    plan_id uuid PRIMARY KEY,
    mentor_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    sessions bigint NOT NULL,
    unit_minor bigint NOT NULL,
    currency text NOT NULL,
    offered boolean NOT NULL DEFAULT true,
    CONSTRAINT plans_offering FOREIGN KEY (offering_id) REFERENCES offered (offering_id),
    CONSTRAINT plans_sessions CHECK (sessions > 0),
    CONSTRAINT plans_unit CHECK (unit_minor > 0)
);
COMMENT ON TABLE plans IS
    'So many sessions of an offering every month, at unit_minor each; never changed, only withdrawn.';
CREATE INDEX plans_mentor ON plans (mentor_id, plan_id);
CREATE INDEX plans_offering_index ON plans (offering_id);

CREATE TABLE subscriptions (
    subscription_id uuid PRIMARY KEY,
    plan_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    mentee_id uuid NOT NULL,
    platform_share_basis_points bigint NOT NULL,
    release_delay_seconds bigint NOT NULL,
    begun_at timestamptz NOT NULL,
    state text NOT NULL,
    checkout_id text,
    checkout_url text,
    stripe_subscription_id text,
    item_id text,
    product_id text,
    period_end timestamptz,
    paused boolean NOT NULL DEFAULT false,
    ending boolean NOT NULL DEFAULT false,
    wish_paused boolean,
    wish_ending boolean,
    wish_plan_id uuid,
    wish_end_now boolean NOT NULL DEFAULT false,
    wish_by text,
    invoice_url text,
    next_attempt_at timestamptz,
    ended_at timestamptz,
    ended_because text,
    look_at timestamptz,
    version bigint NOT NULL DEFAULT 0,
    CONSTRAINT subscriptions_plan FOREIGN KEY (plan_id) REFERENCES plans (plan_id),
    CONSTRAINT subscriptions_wish_plan FOREIGN KEY (wish_plan_id) REFERENCES plans (plan_id),
    CONSTRAINT subscriptions_state_known
    CHECK (state IN ('being_prepared', 'open', 'closed', 'active', 'past_due', 'ended')),
    CONSTRAINT subscriptions_stripe_once UNIQUE (stripe_subscription_id)
);
COMMENT ON TABLE subscriptions IS
    'A subscription to a plan as Stripe showed it last; wish_… is what somebody wants to be otherwise, until Stripe answered that it is.';
CREATE UNIQUE INDEX subscriptions_one_live ON subscriptions (mentee_id, mentor_id)
    WHERE state IN ('being_prepared', 'open', 'active', 'past_due');
CREATE INDEX subscriptions_mentor ON subscriptions (mentor_id, subscription_id);
CREATE INDEX subscriptions_mentee ON subscriptions (mentee_id, subscription_id);
CREATE INDEX subscriptions_plan_index ON subscriptions (plan_id);
CREATE INDEX subscriptions_look_at ON subscriptions (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE plan_invoices (
    stripe_invoice_id text PRIMARY KEY,
    subscription_id uuid NOT NULL,
    order_id uuid,
    state text NOT NULL,
    attempts bigint NOT NULL,
    settled boolean NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT plan_invoices_subscription
    FOREIGN KEY (subscription_id) REFERENCES subscriptions (subscription_id),
    CONSTRAINT plan_invoices_order FOREIGN KEY (order_id) REFERENCES orders (order_id),
    CONSTRAINT plan_invoices_order_once UNIQUE (order_id),
    CONSTRAINT plan_invoices_paid_is_bought CHECK ((state = 'paid') = (order_id IS NOT NULL))
);
COMMENT ON TABLE plan_invoices IS
    'The invoices of a subscription; a paid one is a purchase of credits, settled once Stripe''s fee is known.';
CREATE INDEX plan_invoices_subscription_index ON plan_invoices (subscription_id, created_at);

CREATE VIEW plan_leftovers AS
SELECT o.order_id, o.state
FROM orders AS o
LEFT JOIN plan_invoices AS i ON i.order_id = o.order_id
WHERE o.kind = 'plan' AND (i.order_id IS NULL OR o.state <> 'paid');
COMMENT ON VIEW plan_leftovers IS
    'Purchases by plans that are not those of a paid invoice; always empty.';

CREATE OR REPLACE VIEW due_plans AS
SELECT 'look_at_subscription'::text AS kind, subscription_id::text AS subject, look_at AS due_at
FROM subscriptions
WHERE look_at IS NOT NULL;

CREATE OR REPLACE VIEW order_subjects_plans AS
SELECT order_id, subscription_id::text AS subject
FROM plan_invoices
WHERE order_id IS NOT NULL;

CREATE OR REPLACE VIEW saga_steps_plans AS
SELECT
    i.order_id, o.paid_at AS at, 'plan'::text AS kind, 'month_paid'::text AS what, i.state,
    jsonb_build_object(
        'subscription_id', i.subscription_id, 'stripe_invoice_id', i.stripe_invoice_id,
        'attempts', i.attempts
    ) AS details
FROM plan_invoices AS i
INNER JOIN orders AS o ON o.order_id = i.order_id;

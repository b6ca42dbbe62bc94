-- People, how they sign in, what mentors and mentees say about themselves, and reviews.
-- Columns of links, sign_ins, refresh_tokens and signing_keys are system time; all others business.

CREATE TABLE people (
    person_id uuid CONSTRAINT people_key PRIMARY KEY,
    email text NOT NULL CONSTRAINT people_email_key UNIQUE,
    name text NOT NULL,
    locale text NOT NULL,
    zone text NOT NULL,
    wants text NOT NULL CONSTRAINT people_wants CHECK (wants IN ('mentee', 'mentor', 'both')),
    password_hash text NOT NULL,
    verified boolean NOT NULL,
    mentor_state text NOT NULL CONSTRAINT people_mentor_state CHECK (mentor_state IN
        ('none', 'draft', 'submitted', 'changes_requested', 'approved', 'suspended')),
    version bigint NOT NULL,
    contact_version bigint NOT NULL,
    message_version bigint NOT NULL,
    registered_at timestamptz NOT NULL
);
COMMENT ON COLUMN people.email IS 'In lower case.';
COMMENT ON COLUMN people.version IS 'Of the facts on profiles.people; the other two count theirs.';
CREATE INDEX people_mentor_state_index ON people (mentor_state, person_id);

CREATE TABLE links (
    token_hash bytea CONSTRAINT links_key PRIMARY KEY,
    person_id uuid NOT NULL CONSTRAINT links_person REFERENCES people ON DELETE CASCADE,
    kind text NOT NULL CONSTRAINT links_kind
        CHECK (kind IN ('verify_email', 'reset_password', 'already_registered')),
    password_hash text,
    sent_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
COMMENT ON TABLE links IS 'One-time links that were mailed; the token itself is kept nowhere.';
COMMENT ON COLUMN links.password_hash IS 'Of the sign-up that sent the link; taken when it is used.';
CREATE INDEX links_person_index ON links (person_id, sent_at);
CREATE INDEX links_expires_at ON links (expires_at);

CREATE TABLE sign_ins (
    sign_in_id uuid CONSTRAINT sign_ins_key PRIMARY KEY,
    person_id uuid NOT NULL CONSTRAINT sign_ins_person REFERENCES people ON DELETE CASCADE,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text CONSTRAINT sign_ins_end_reason
        CHECK (end_reason IN ('signed_out', 'token_reused', 'password_reset'))
);
COMMENT ON TABLE sign_ins IS 'Families of refresh tokens: each rotates within its sign-in.';
CREATE INDEX sign_ins_person_index ON sign_ins (person_id) WHERE ended_at IS NULL;
CREATE INDEX sign_ins_expires_at ON sign_ins (expires_at);

CREATE TABLE refresh_tokens (
    token_hash bytea CONSTRAINT refresh_tokens_key PRIMARY KEY,
    sign_in_id uuid NOT NULL
        CONSTRAINT refresh_tokens_sign_in REFERENCES sign_ins ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX refresh_tokens_sign_in_index ON refresh_tokens (sign_in_id);

CREATE TABLE signing_keys (
    kid text CONSTRAINT signing_keys_key PRIMARY KEY,
    public_key jsonb NOT NULL,
    private_sealed text NOT NULL,
    active_from timestamptz NOT NULL
);
COMMENT ON COLUMN signing_keys.private_sealed IS 'JWE (dir, A256GCM) under PROFILES_KEY_SECRET.';

CREATE TABLE expertise (
    slug text CONSTRAINT expertise_key PRIMARY KEY,
    name text NOT NULL,
    parent text CONSTRAINT expertise_parent REFERENCES expertise,
    synonyms text[] NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE expertise IS 'The curated tree of tags; changed by migrations alone.';

CREATE TABLE mentor_profiles (
    person_id uuid CONSTRAINT mentor_profiles_key PRIMARY KEY
        CONSTRAINT mentor_profiles_person REFERENCES people ON DELETE CASCADE,
    headline text NOT NULL,
    story text NOT NULL,
    expertise text[] NOT NULL,
    languages text[] NOT NULL,
    industries text[] NOT NULL,
    years bigint NOT NULL,
    reason text,
    edited_since_approval boolean NOT NULL DEFAULT false,
    submitted_at timestamptz,
    version bigint NOT NULL,
    document tsvector NOT NULL DEFAULT ''::tsvector,
    rating_sum bigint NOT NULL DEFAULT 0,
    rating_count bigint NOT NULL DEFAULT 0,
    rating_mean double precision NOT NULL
);
COMMENT ON COLUMN mentor_profiles.reason IS 'Why an operator asked for changes or suspended.';
CREATE INDEX mentor_profiles_document ON mentor_profiles USING gin (document);
CREATE INDEX mentor_profiles_expertise ON mentor_profiles USING gin (expertise);

CREATE TABLE search_words (
    word text CONSTRAINT search_words_key PRIMARY KEY
);
COMMENT ON TABLE search_words IS 'Words that occur in mentor profiles: what a misspelt word may have meant.';
CREATE INDEX search_words_near ON search_words USING gist (word gist_trgm_ops);

CREATE TABLE mentee_profiles (
    person_id uuid CONSTRAINT mentee_profiles_key PRIMARY KEY
        CONSTRAINT mentee_profiles_person REFERENCES people ON DELETE CASCADE,
    goal text NOT NULL,
    background text NOT NULL,
    ask text NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE offerings (
    offering_id uuid CONSTRAINT offerings_key PRIMARY KEY,
    mentor_id uuid NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    published boolean NOT NULL,
    version bigint NOT NULL
);
COMMENT ON TABLE offerings IS 'Projection of booking.offerings, for search alone.';
CREATE INDEX offerings_mentor_index ON offerings (mentor_id, price_minor) WHERE published;

CREATE TABLE review_cases (
    session_id uuid CONSTRAINT review_cases_key PRIMARY KEY,
    order_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    mentee_id uuid NOT NULL,
    state text NOT NULL CONSTRAINT review_cases_state
        CHECK (state IN ('awaiting', 'open', 'published', 'closed')),
    publish_at timestamptz,
    published_at timestamptz,
    version bigint NOT NULL,
    CONSTRAINT review_cases_open_until CHECK (state <> 'open' OR publish_at IS NOT NULL)
);
COMMENT ON TABLE review_cases IS 'The pair of reviews of one session; open once it is completed.';
CREATE INDEX review_cases_due ON review_cases (publish_at) WHERE state = 'open';
CREATE INDEX review_cases_mentor ON review_cases (mentor_id, published_at DESC, session_id DESC)
    WHERE state = 'published';

CREATE TABLE reviews (
    session_id uuid NOT NULL CONSTRAINT reviews_case REFERENCES review_cases,
    author text NOT NULL CONSTRAINT reviews_author CHECK (author IN ('mentee', 'mentor')),
    rating bigint NOT NULL CONSTRAINT reviews_rating CHECK (rating BETWEEN 1 AND 5),
    text text NOT NULL,
    sub_scores jsonb NOT NULL,
    written_at timestamptz NOT NULL,
    CONSTRAINT reviews_key PRIMARY KEY (session_id, author)
);

CREATE VIEW due AS
    SELECT 'publish_reviews'::text AS kind, session_id::text AS subject, publish_at AS due_at
    FROM review_cases WHERE state = 'open';
COMMENT ON VIEW due IS 'What this service will do by itself at a business instant.';

CREATE VIEW in_flight AS SELECT kind, subject, since FROM kit_in_flight;
COMMENT ON VIEW in_flight IS 'Work accepted and not finished.';

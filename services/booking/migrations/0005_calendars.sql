-- Calendars that mentors keep elsewhere, and when these say that they are busy. What is read when
-- is a matter of the system clock and therefore not in the view due.

CREATE TABLE calendars (
    calendar_id uuid PRIMARY KEY,
    mentor_id uuid NOT NULL,
    name text NOT NULL,
    url text NOT NULL,
    etag text,
    last_modified text,
    zone text,
    fetched_at timestamptz,
    parsed_at timestamptz,
    refresh_seconds bigint NOT NULL DEFAULT 3600,
    failure text,
    failing_since timestamptz,
    failures bigint NOT NULL DEFAULT 0,
    next_fetch_at timestamptz NOT NULL,
    attempted_at timestamptz,
    lease_until timestamptz,
    CONSTRAINT calendars_once UNIQUE (mentor_id, url),
    CONSTRAINT calendars_failing CHECK ((failure IS NULL) = (failing_since IS NULL))
);
COMMENT ON TABLE calendars IS 'Addresses of feeds to read busy times from: whoever knows one reads the calendar, so it is a secret. zone is that of the last reading; fetched_at, parsed_at and failing_since are business time, the others system time.';
CREATE INDEX calendars_next_fetch ON calendars (next_fetch_at);

CREATE TABLE calendar_busy (
    calendar_id uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (calendar_id, ends_at, starts_at),
    CONSTRAINT calendar_busy_calendar
    FOREIGN KEY (calendar_id) REFERENCES calendars (calendar_id) ON DELETE CASCADE,
    CONSTRAINT calendar_busy_times CHECK (ends_at > starts_at)
);
COMMENT ON TABLE calendar_busy IS 'When a calendar says that its owner is busy; the times of one calendar lie apart.';

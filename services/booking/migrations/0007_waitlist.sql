-- Who waits for a slot of an offering, in the order of arrival.

CREATE TABLE waitlist (
    entry_id uuid PRIMARY KEY,
    offering_id uuid NOT NULL,
    mentor_id uuid NOT NULL,
    person_id uuid NOT NULL,
    starts_from timestamptz NOT NULL,
    until timestamptz NOT NULL,
    answers jsonb NOT NULL,
    left_at timestamptz,
    order_id uuid,
    CONSTRAINT waitlist_offering FOREIGN KEY (offering_id) REFERENCES offerings (offering_id),
    CONSTRAINT waitlist_order FOREIGN KEY (order_id) REFERENCES orders (order_id),
    CONSTRAINT waitlist_window CHECK (starts_from < until),
    CONSTRAINT waitlist_left_or_offered CHECK (left_at IS NULL OR order_id IS NULL)
);
COMMENT ON TABLE waitlist IS 'Who waits for a start within a window; entry_id is in the order of arrival. An entry is worth one offer: order_id is that offer, and its state says what became of it.';
CREATE INDEX waitlist_waiting ON waitlist (mentor_id, entry_id) WHERE order_id IS NULL AND left_at IS NULL;
CREATE INDEX waitlist_offering_id ON waitlist (offering_id);
CREATE INDEX waitlist_person ON waitlist (person_id, entry_id);
CREATE INDEX waitlist_order_id ON waitlist (order_id);

-- The trace a call belongs to, so that whoever makes it later goes on with it (W3C trace context).

ALTER TABLE operations ADD COLUMN traceparent text;

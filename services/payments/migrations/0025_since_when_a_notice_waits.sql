-- A notice is put aside when it was tried in vain for long enough, however late it was obeyed first.

ALTER TABLE webhooks ADD COLUMN first_tried_at timestamptz;
COMMENT ON COLUMN webhooks.first_tried_at IS
    'When it was first obeyed in vain, since it came or was last woken (system time).';

-- What was applied is the owner's to write down: the runtime role only reads it, and does not need to.

DO $$ BEGIN
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON migrations FROM %I', current_schema() || '_app');
END $$;

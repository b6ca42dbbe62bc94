-- The roles, schemas and extensions of the marketplace, in the database one is connected to.
--
-- One service, one schema, two roles: its owner migrates, its app role runs and has no DDL; neither
-- reaches another schema. ops_reader reads all four and changes nothing. Run it as a superuser, as
-- often as you like. Passwords come from session settings named mentorium.<role>_password: the
-- embedded server sets them itself, deploy/postgres/init.sh takes them from the environment.

CREATE FUNCTION pg_temp.login_role(role_name text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    secret text := current_setting('mentorium.' || role_name || '_password');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
        EXECUTE format('CREATE ROLE %I', role_name);
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', role_name, secret);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
END $$;

CREATE FUNCTION pg_temp.service_schema(service text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    owner text := service || '_owner';
    app text := service || '_app';
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY[owner, app] LOOP
        PERFORM pg_temp.login_role(role_name);
        EXECUTE format('ALTER ROLE %I SET search_path = %I, extensions', role_name, service);
        EXECUTE format('GRANT USAGE ON SCHEMA extensions TO %I', role_name);
    END LOOP;
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', service, owner);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, ops_reader', service, app);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I '
        'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I', owner, service, app);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I '
        'GRANT USAGE, SELECT ON SEQUENCES TO %I', owner, service, app);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I '
        'GRANT EXECUTE ON FUNCTIONS TO %I', owner, service, app);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I '
        'REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', owner);
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I '
        'GRANT SELECT ON TABLES TO ops_reader', owner, service);
END $$;

-- Nobody reaches a database or makes a table in it because of being somebody.
DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END $$;
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS extensions;
CREATE EXTENSION IF NOT EXISTS btree_gist SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS citext SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS unaccent SCHEMA extensions;

SELECT pg_temp.login_role('ops_reader');
GRANT USAGE ON SCHEMA extensions TO ops_reader;
SELECT pg_temp.service_schema(service)
FROM unnest(ARRAY['profiles', 'booking', 'payments', 'notifications']) AS service;

DROP FUNCTION pg_temp.service_schema(text), pg_temp.login_role(text);

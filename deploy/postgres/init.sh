#!/bin/sh
# Run once by the postgres image on an empty volume: gives roles.sql its passwords from the
# environment (PROFILES_OWNER_PASSWORD, PROFILES_APP_PASSWORD, ... OPS_READER_PASSWORD) and runs it.
# roles.sql is mounted beside this script, outside the image's init folder.
set -eu

script=${ROLES_SQL:-/etc/mentorium/roles.sql}
roles="profiles_owner profiles_app booking_owner booking_app payments_owner payments_app
notifications_owner notifications_app ops_reader"

password_variable() {
    echo "$(echo "$1" | tr '[:lower:]' '[:upper:]')_PASSWORD"
}

# Before anything runs: an error inside the pipe below would not end the script.
for role in $roles; do
    variable=$(password_variable "$role")
    eval ": \"\${$variable:?$variable must be set}\""
done

{
    for role in $roles; do
        variable=$(password_variable "$role")
        # psql reads the value itself, so that it never stands on a command line.
        printf '\\getenv secret %s\n' "$variable"
        printf "SELECT set_config('mentorium.%s_password', :'secret', false) <> '' \\\\g /dev/null\n" \
            "$role"
    done
    printf '\\i %s\n' "$script"
} | psql -v ON_ERROR_STOP=1 --no-psqlrc --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB"

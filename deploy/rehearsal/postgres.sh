#!/bin/bash
# What people rely on of the published image: a first start makes POSTGRES_DB with the superuser's
# POSTGRES_PASSWORD and runs /docker-entrypoint-initdb.d on a server that listens on a socket only.
set -Eeuo pipefail

export POSTGRES_USER=${POSTGRES_USER:-postgres}
export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
sockets=(-c unix_socket_directories=/tmp)
export PGHOST=/tmp

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile=<(echo "$POSTGRES_PASSWORD") \
        --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --pgdata="$PGDATA" --wait --options="${sockets[*]} -c listen_addresses=''" start
    if [ "$POSTGRES_DB" != postgres ]; then
        createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    fi
    for script in /docker-entrypoint-initdb.d/*.sh; do
        if [ -f "$script" ]; then "$script"; fi
    done
    pg_ctl --pgdata="$PGDATA" --wait --mode=fast stop
fi
exec postgres -D "$PGDATA" "${sockets[@]}" -c listen_addresses='*' "$@"

"""The privileges of every role, listed: each reaches its own schema and nothing more."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

import asyncpg
import pytest

from tests.engines import Database
from tests.house.sources import SERVICE_NAMES, broken, present_services

Superuser: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
MakeDatabase = Callable[..., Awaitable[Database]]
APPS = tuple(f"{service}_app" for service in SERVICE_NAMES)
OWNERS = tuple(f"{service}_owner" for service in SERVICE_NAMES)
ROLES = (*APPS, *OWNERS, "ops_reader")
READ, WRITE = {"SELECT"}, {"SELECT", "INSERT", "UPDATE", "DELETE"}
APPEND = {"SELECT", "INSERT"}
LEDGER = ("payments.ledger_entries", "payments.ledger_lines")
COUNTED = "payments.ledger_counters"
"""Balances change by posting alone: the service cannot write them."""
LOGS = ("operator_log", "order_facts")
"""Of every service: what operators did, and what was told of each purchase."""
APPEND_ONLY = (*LEDGER, *(f"{service}.{log}" for service in SERVICE_NAMES for log in LOGS))
"""What was posted is never changed: not by the service either, and it cannot be granted by it."""

TABLE_PRIVILEGES = """
SELECT role, n.nspname || '.' || c.relname AS relation, c.relkind = 'r' AS is_table, privilege
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN unnest($1::text[]) AS role
CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES',
                        'TRIGGER', 'MAINTAIN']) AS privilege
WHERE n.nspname = ANY($2::text[]) AND c.relkind IN ('r', 'v', 'm', 'p')
  AND has_table_privilege(role, c.oid, privilege)
"""
COLUMN_PRIVILEGES = """
SELECT a.attrelid::regclass || '.' || a.attname AS found
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE a.attacl IS NOT NULL AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""
SCHEMA_PRIVILEGES = """
SELECT role, nspname AS schema, privilege
FROM pg_namespace
CROSS JOIN unnest($1::text[]) AS role
CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS privilege
WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
  AND has_schema_privilege(role, oid, privilege)
"""
DATABASE_PRIVILEGES = """
SELECT role, privilege
FROM unnest($1::text[]) AS role
CROSS JOIN unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS privilege
WHERE has_database_privilege(role, current_database(), privilege)
"""
POWERS = """
SELECT rolname FROM pg_roles
WHERE rolname = ANY($1::text[])
  AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
"""
MEMBERSHIPS = """
SELECT pg_get_userbyid(member) || ' in ' || pg_get_userbyid(roleid) AS found FROM pg_auth_members
WHERE pg_get_userbyid(member) = ANY($1::text[])
"""
FOREIGN_OWNERS = """
SELECT n.nspname || '.' || c.relname || ' is owned by ' || pg_get_userbyid(c.relowner) AS found
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = ANY($1::text[]) AND pg_get_userbyid(c.relowner) <> n.nspname || '_owner'
"""


@pytest.fixture
async def superuser(database: MakeDatabase) -> AsyncGenerator[Superuser]:
    """Give the superuser's connection to a database where every service here is migrated."""
    own = await database()
    conn = await asyncpg.connect(own.superuser_url)
    yield conn
    await conn.close()


async def test_tables_are_open_to_their_service_alone(superuser: Superuser):
    """The runtime role reads and writes, the ledger it only appends to, operators only read."""
    rows = await superuser.fetch(TABLE_PRIVILEGES, [*APPS, "ops_reader"], list(SERVICE_NAMES))
    granted: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        granted.setdefault((row["role"], row["relation"]), set()).add(row["privilege"])
    found = [
        f"{role} has {', '.join(sorted(privileges))} on {relation}"
        for (role, relation), privileges in sorted(granted.items())
        if not privileges <= _allowed(role, relation)
    ]
    assert not found, broken("privileges on tables", found)
    relations = {row["relation"] for row in rows}
    unseen = [each for each in relations if "SELECT" not in granted.get(("ops_reader", each), ())]
    assert not unseen, broken("operators cannot read", unseen)
    if "payments" in present_services():
        ledger = {each for each in relations if each.startswith("payments.ledger_")}
        assert set(LEDGER) <= ledger, broken("the ledger's tables are named", sorted(ledger))


async def test_no_privilege_hides_in_a_column(superuser: Superuser):
    """Rights are given by table; a right on a column would escape the list above."""
    assert not await superuser.fetch(COLUMN_PRIVILEGES)


async def test_schemas_and_the_database_are_closed(superuser: Superuser):
    """Only an owner creates, only in its own schema; nobody makes temporary tables."""
    schemas = await superuser.fetch(SCHEMA_PRIVILEGES, list(ROLES))
    found = [
        f"{row['role']} has {row['privilege']} on {row['schema']}"
        for row in schemas
        if not _may_use(row["role"], row["schema"], row["privilege"])
    ]
    rights = await superuser.fetch(DATABASE_PRIVILEGES, list(ROLES))
    found += [f"{r['role']} has {r['privilege']}" for r in rights if r["privilege"] != "CONNECT"]
    assert not found, broken("privileges on schemas and the database", found)
    assert {row["role"] for row in rights} == set(ROLES)


async def test_roles_have_no_powers_and_no_friends(superuser: Superuser):
    """No role is more than it says, none belongs to another, and owners own their tables."""
    found = [row["rolname"] for row in await superuser.fetch(POWERS, list(ROLES))]
    found += [row["found"] for row in await superuser.fetch(MEMBERSHIPS, list(ROLES))]
    found += [row["found"] for row in await superuser.fetch(FOREIGN_OWNERS, list(SERVICE_NAMES))]
    assert not found, broken("roles", found)


@pytest.mark.parametrize("service", present_services())
async def test_a_runtime_role_has_no_ddl(database: MakeDatabase, service: str):
    """Making, changing and dropping tables is refused, and rewriting what was migrated."""
    own = await database(service)
    conn = await asyncpg.connect(own.app_url(service))
    for statement in (
        "CREATE TABLE more (id int)",
        "ALTER TABLE outbox ADD COLUMN more int",
        "DROP TABLE outbox",
        "TRUNCATE outbox",
        "CREATE VIEW more AS SELECT 1",
        "CREATE SCHEMA more",
        "INSERT INTO migrations (name, checksum) VALUES ('kit/9999_never', '')",
        "UPDATE migrations SET checksum = ''",
        "DELETE FROM migrations",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(statement)
    await conn.close()


async def test_a_right_too_many_is_noticed(superuser: Superuser):
    """The control: a grant to a stranger shows up in the list."""
    service, stranger = present_services()[0], APPS[-1]
    await superuser.execute(f"GRANT USAGE ON SCHEMA {service} TO {stranger}")
    await superuser.execute(f"GRANT UPDATE ON {service}.outbox TO {stranger}")
    with pytest.raises(AssertionError, match=f"{stranger} has UPDATE on {service}.outbox"):
        await test_tables_are_open_to_their_service_alone(superuser)


def _allowed(role: str, relation: str) -> set[str]:
    if role == "ops_reader":
        return READ
    if relation.split(".")[0] != role.removesuffix("_app"):
        return set()
    if relation.endswith(".migrations") or relation == COUNTED:
        return READ
    return APPEND if relation in APPEND_ONLY else WRITE


def _may_use(role: str, schema: str, privilege: str) -> bool:
    if privilege == "CREATE":
        return role == f"{schema}_owner"
    return schema == "extensions" or role == "ops_reader" or role.rsplit("_", 1)[0] == schema

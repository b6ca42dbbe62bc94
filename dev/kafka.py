"""One embedded Apache Kafka broker in KRaft mode: prepared once, started in under a second."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from dev.cache import locked
from dev.children import Command, ProgramFailed, kill, run_to_end, spawn
from dev.kafka_jars import archive_path, fetch_jars, java, kafka_cache
from dev.ports import LOOPBACK, answers, free_ports

_log = logging.getLogger(__name__)

# A broker for one machine: small heap, one collector thread, quick compiler only. The archive is
# tied to these flags too.
_FLAGS = (
    "-Xms32m", "-Xmx128m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "-XX:MaxMetaspaceSize=128m", "-XX:ReservedCodeCacheSize=32m",
    "--sun-misc-unsafe-memory-access=allow", "-Xlog:disable", "-Xlog:all=error",
)  # fmt: skip
_LOG_SETTINGS = Path(__file__).with_name("kafka.log4j2.properties")
_NODE_ID = 1
_METADATA_FOLDER = "__cluster_metadata-0"
_CHECKPOINT = "bootstrap.checkpoint"
_ADMIN_DEADLINE_MS = 3_000
_FORMAT_DEADLINE_SECONDS = 120.0
_START_DEADLINE_SECONDS = 120.0
_ARCHIVE_DEADLINE_SECONDS = 120.0
_PREPARE_LOCK_SECONDS = 600.0
_POLL_SECONDS = 0.05
_TRAINING_RECORDS = 20

_SETTINGS = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={node}@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=2097152
log.cleaner.io.buffer.size=65536
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
"""


@dataclass(frozen=True)
class Kafka:
    """A broker whose settings and data lie in `folder` and which listens on two loopback ports."""

    folder: Path
    port: int
    controller_port: int

    @property
    def bootstrap(self) -> str:
        """The address that clients are given."""
        return f"{LOOPBACK}:{self.port}"

    async def prepare(self) -> Command:
        """Bring the jars, the archive and the data folder; return the command that starts it.

        Raises `DownloadFailed`, `EngineMissing` or `ProgramFailed`.
        """
        jars = await prepare_kafka()
        self.lay_out()
        archive = archive_path(jars)
        return self.command(jars, [f"-XX:AOTCache={archive}"] if archive.exists() else [])

    async def ready(self) -> bool:
        """Whether the broker answers requests, not merely connections."""
        if not await answers(self.port):
            return False
        admin = self.admin()
        try:
            await admin.start()
            await admin.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await admin.close()
        return True

    def admin(self) -> AIOKafkaAdminClient:
        """Return an admin client that has not been started."""
        return AIOKafkaAdminClient(
            bootstrap_servers=self.bootstrap, request_timeout_ms=_ADMIN_DEADLINE_MS
        )

    def lay_out(self) -> None:
        """Write the settings, and a formatted data folder unless there is one.

        A formatted folder is what `StorageTool format` leaves: a checkpoint without ids, which is
        copied, and four lines that name cluster, node and folder, which are written here.
        """
        data = self.folder / "data"
        metadata = data / _METADATA_FOLDER
        metadata.mkdir(parents=True, exist_ok=True)
        self.write_settings()
        if (data / "meta.properties").exists():
            return
        shutil.copy(kafka_cache() / _CHECKPOINT, metadata / f"{0:020}-{0:010}.checkpoint")
        ids = f"cluster.id={_new_id()}\nnode.id={_NODE_ID}\ndirectory.id={_new_id()}\n"
        (data / "meta.properties").write_text(f"version=1\n{ids}")

    def write_settings(self) -> None:
        """Write the settings file; the ports may be others than the last time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = _SETTINGS.format(
            node=_NODE_ID,
            host=LOOPBACK,
            port=self.port,
            controller_port=self.controller_port,
            data=self.folder / "data",
        )
        (self.folder / "server.properties").write_text(text)

    def command(self, jars: list[Path], more_flags: list[str]) -> Command:
        """Return the command that runs the broker, with these flags of Java added."""
        settings = str(self.folder / "server.properties")
        return _java(jars, more_flags, "kafka.Kafka", settings, cwd=self.folder)

    def format_command(self, jars: list[Path]) -> Command:
        """Return the command that formats the data folder as Kafka's own tool does."""
        settings = str(self.folder / "server.properties")
        arguments = ("format", "-t", _new_id(), "-c", settings)
        return _java(jars, [], "kafka.tools.StorageTool", *arguments, cwd=self.folder)


async def prepare_kafka() -> list[Path]:
    """Bring all that is made once per person, and return the jars.

    That is the jars, the checkpoint of a formatted folder, and the ahead-of-time archive, without
    which a broker starts slower but starts.
    """
    jars = await fetch_jars()
    checkpoint, archive = kafka_cache() / _CHECKPOINT, archive_path(jars)
    if not (checkpoint.exists() and archive.exists()):
        async with locked(kafka_cache() / "prepare.lock", _PREPARE_LOCK_SECONDS):
            if not checkpoint.exists():
                await _make_checkpoint(jars, checkpoint)
            if not archive.exists():
                await _try_to_make_archive(jars, archive)
    return jars


async def _make_checkpoint(jars: list[Path], checkpoint: Path) -> None:
    with TemporaryDirectory(prefix="mentorium-kafka-") as folder:
        broker = Kafka(Path(folder), *free_ports(2))
        broker.write_settings()
        await run_to_end(broker.format_command(jars), _FORMAT_DEADLINE_SECONDS)
        _keep_checkpoint(broker, checkpoint)


def _keep_checkpoint(broker: Kafka, checkpoint: Path) -> None:
    (made,) = (broker.folder / "data" / _METADATA_FOLDER).glob("*.checkpoint")
    part = checkpoint.with_suffix(".part")
    shutil.copyfile(made, part)
    part.replace(checkpoint)


async def _try_to_make_archive(jars: list[Path], archive: Path) -> None:
    """Run a broker through a little work while Java records it; failing costs only speed."""
    for stale in kafka_cache().glob("*.aot"):
        stale.unlink()
    part = archive.with_suffix(".part")
    try:
        await _train(jars, part)
        part.replace(archive)
    except (ProgramFailed, KafkaError, OSError, TimeoutError) as error:
        _log.warning("Kafka starts slower: its ahead-of-time archive was not made: %s", error)


async def _train(jars: list[Path], output: Path) -> None:
    with TemporaryDirectory(prefix="mentorium-kafka-") as folder:
        broker = Kafka(Path(folder), *free_ports(2))
        broker.lay_out()
        command = broker.command(jars, [f"-XX:AOTCacheOutput={output}"])
        process = await spawn(command, asyncio.subprocess.DEVNULL)
        try:
            await wait_until_ready(broker, _START_DEADLINE_SECONDS)
            await _work_a_little(broker)
            process.terminate()
            async with asyncio.timeout(_ARCHIVE_DEADLINE_SECONDS):
                await process.wait()
        finally:
            await kill(process)


async def wait_until_ready(broker: Kafka, seconds: float) -> None:
    """Return when the broker answers; raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not await broker.ready():
            await asyncio.sleep(_POLL_SECONDS)


async def _work_a_little(broker: Kafka) -> None:
    admin = broker.admin()
    await admin.start()
    try:
        await admin.create_topics([NewTopic("training", 1, 1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    try:
        for number in range(_TRAINING_RECORDS):
            await producer.send_and_wait("training", str(number).encode())
    finally:
        await producer.stop()


def _java(jars: list[Path], more_flags: list[str], *program: str, cwd: Path) -> Command:
    class_path = os.pathsep.join(str(jar) for jar in jars)
    logs = f"-Dlog4j2.configurationFile={_LOG_SETTINGS}"
    argv = (str(java()), *_FLAGS, *more_flags, logs, "-cp", class_path, *program)
    return Command(argv, {"PATH": os.defpath, "LANG": "C.UTF-8"}, cwd)


def _new_id() -> str:
    """Return an id in the form Kafka gives its own: a random uuid in base64url."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")

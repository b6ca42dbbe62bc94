"""The published images of the engines, run by testcontainers where a Docker engine runs.

The images are settings (MENTORIUM_POSTGRES_IMAGE, MENTORIUM_KAFKA_IMAGE) for those with a registry
of their own.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager

from docker.errors import DockerException
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from dev.ports import LOOPBACK, free_ports
from dev.postgres import SUPERUSER
from tests.engines import EngineFailed

_POSTGRES_PORT = 5432
_KAFKA_PORT = 9092
_START_SECONDS = 120
_NO_DOCKER = (
    "--stack=containers needs a running Docker engine that has, or can pull, {image}: see that"
    " `docker info` works (DOCKER_HOST says where it is), or leave the option out: {error}"
)


@contextmanager
def postgres_container(
    passwords: Mapping[str, str],
) -> Generator[tuple[str, Mapping[str, str]]]:
    """Give host:port of a PostgreSQL container whose superuser has the password named here."""
    image = os.environ.get("MENTORIUM_POSTGRES_IMAGE", "postgres:18")
    with ExitStack() as ends:
        with _explained(image):
            running = ends.enter_context(
                PostgresContainer(
                    image, username=SUPERUSER, password=passwords[SUPERUSER], dbname="postgres",
                    driver=None,
                )
            )  # fmt: skip
        port = running.get_exposed_port(_POSTGRES_PORT)
        yield f"{running.get_container_host_ip()}:{port}", passwords


@contextmanager
def kafka_container() -> Generator[str]:
    """Give the bootstrap address of a one-node Kafka container.

    A broker tells clients its own address, so the published port is chosen before it starts.
    """
    (port,) = free_ports(1)
    image = os.environ.get("MENTORIUM_KAFKA_IMAGE", "apache/kafka:4.4.0")
    started = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(_START_SECONDS)
    with ExitStack() as ends:
        with _explained(image):
            container = DockerContainer(image).with_bind_ports(_KAFKA_PORT, port)
            for name, value in _broker_environment(port).items():
                container = container.with_env(name, value)
            ends.enter_context(container.waiting_for(started))
        yield f"{LOOPBACK}:{port}"


@contextmanager
def _explained(image: str) -> Generator[None]:
    """Say what to do when there is no Docker or no image; raises `EngineFailed`."""
    try:
        yield
    except DockerException as error:
        raise EngineFailed(_NO_DOCKER.format(image=image, error=error)) from error


def _broker_environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": f"PLAINTEXT://:{_KAFKA_PORT},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{LOOPBACK}:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }

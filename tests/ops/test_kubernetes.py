"""The manifests are what Kubernetes and KEDA take, and the launcher's table in another form."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject

from deploy.dev_secrets import secrets
from dev.environment import Site
from dev.supervisor import STOP_SECONDS
from dev.table import Kind, Process
from shared.contracts.topics import PARTITIONS, read_by
from shared.process import NOTICE_SECONDS
from tests.house.sources import REPOSITORY, SERVICE_NAMES
from tests.ops.kustomize import Resource, containers_of, pod_of, render

FOLDER = REPOSITORY / "deploy" / "kubernetes"
OVERLAYS = ("development", "production")
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
ENGINES = ("postgres", "kafka")
OUTSIDERS = ("stripe", "mail")
OLDEST, NEWEST = "1.33", "1.37"
"""Versions of Kubernetes whose schemas must take the manifests."""
DEVELOPMENT_ONLY = {
    "MENTORIUM_CLOCK_FILE", "ALLOW_PLAIN_COOKIES", "PAYMENTS_STRIPE_BASE_URL", "PYTHONUNBUFFERED",
    "WEB_VENDOR_DIR",
}  # fmt: skip
"""Of simulators, of plain connections, or set in the image."""
PRODUCTION_ONLY = {
    "KAFKA_REPLICATION", "LOG_LEVEL", "NOTIFICATIONS_SENDER", "NOTIFICATIONS_SMTP_USERNAME",
    "NOTIFICATIONS_SMTP_PASSWORD", "NOTIFICATIONS_SMTP_STARTTLS",
    "PAYMENTS_SETTLEMENT_CURRENCIES",
}  # fmt: skip
SECRET = re.compile(r"DATABASE_URL|SECRET|_KEY$|PASSWORD")
NAME, COMPONENT = "app.kubernetes.io/name", "app.kubernetes.io/component"
MEBIBYTE = {"384Mi": "384M"}


@cache
def resources(overlay: str) -> tuple[Resource, ...]:
    return tuple(render(FOLDER / "overlays" / overlay))


def of_kind(overlay: str, *kinds: str) -> dict[str, Resource]:
    return {r["metadata"]["name"]: r for r in resources(overlay) if r["kind"] in kinds}


def spec_of(workload: Resource) -> dict[str, Any]:
    """Return the specification of a workload's pods."""
    pod = pod_of(workload)
    assert pod is not None
    found: dict[str, Any] = pod["spec"]
    return found


def labels_of(workload: Resource) -> dict[str, str]:
    pod = pod_of(workload)
    assert pod is not None
    found: dict[str, str] = pod["metadata"]["labels"]
    return found


def ours(overlay: str) -> dict[str, Resource]:
    return of_kind(overlay, "Deployment", "Job", "CronJob")


@pytest.mark.parametrize(
    ("overlay", "version"),
    [
        ("production", OLDEST),
        pytest.param("production", NEWEST, marks=pytest.mark.long),
        pytest.param("development", OLDEST, marks=pytest.mark.long),
    ],
)
def test_every_resource_is_what_its_schema_says(overlay: str, version: str):
    """Strictly: an unknown key is a mistake of ours, also in those that KEDA reads."""
    for resource in resources(overlay):
        if resource["kind"] == "ScaledObject":
            read = ScaledObject.model_validate(resource)
            again = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
            assert again == resource
        else:
            kubernetes_validate.validate(resource, version, strict=True)


def test_a_mistake_would_be_seen():
    """The schemas notice a misspelt key and a wrong type."""
    (web,) = (r for r in resources("production") if r["kind"] == "PodDisruptionBudget"
              and r["metadata"]["name"] == "web")  # fmt: skip
    for wrong in ({"maxUnavailabel": 1}, {"selector": "web"}):
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**web, "spec": wrong}, OLDEST, strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_file_is_part_of_something(overlay: str):
    """No file lies beside the kustomizations without being read, and no name stands for two."""
    named = [(r["kind"], r["metadata"]["name"]) for r in resources(overlay)]
    assert len(named) == len(set(named))
    for folder in (FOLDER / "base", FOLDER / "pods", FOLDER / "overlays" / overlay):
        text = (folder / "kustomization.yaml").read_text()
        for file in folder.glob("*.yaml"):
            assert file.name == "kustomization.yaml" or file.name in text, file


def test_every_process_has_its_workload(rows: dict[str, Process]):
    """A Deployment per server and a Job per one-shot; engines and simulators in development."""
    servers = {name for name, row in rows.items() if row.kind is Kind.SERVER}
    one_shots = {name for name, row in rows.items() if row.kind is Kind.ONE_SHOT}
    assert of_kind("production", "Deployment").keys() == servers - {*ENGINES, *OUTSIDERS}
    assert of_kind("development", "Deployment").keys() == servers - {*ENGINES}
    assert of_kind("development", "StatefulSet").keys() == set(ENGINES)
    for overlay in OVERLAYS:
        assert of_kind(overlay, "Job").keys() == one_shots


def test_every_pod_runs_what_its_container_runs(rows: dict[str, Process]):
    """The same image, words and memory as in docker-compose.yml, which is compared to the table."""
    for name in rows.keys() - {*ENGINES, *OUTSIDERS}:
        (container,) = containers_of(ours("production")[name])
        other = COMPOSE["services"][name]
        assert container["args"] == [str(word) for word in other["command"]], name
        assert container["image"].split("/")[-1].split(":")[0] == other["build"]["target"], name
        memory = other["deploy"]["resources"]["limits"]["memory"]
        assert MEBIBYTE[container["resources"]["limits"]["memory"]] == memory, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_told_what_its_process_is_told(
    overlay: str, site: Site, rows: dict[str, Process]
):
    """The same variables, of its own service only; a migration also gets the owner's address."""
    for name in rows.keys() - {*ENGINES, *OUTSIDERS}:
        (container,) = containers_of(ours(overlay)[name])
        owner = COMPOSE["services"][name]["build"]["target"]
        wanted = set(site.environment(owner)) - DEVELOPMENT_ONLY
        if owner in SERVICE_NAMES and not name.endswith("-migrate"):
            wanted -= {f"{owner.upper()}_MIGRATE_DATABASE_URL"}
        if name == "topics":
            wanted = {each for each in wanted if not each.startswith("OPS_")}
        told = _variables(overlay, container)
        assert told - PRODUCTION_ONLY - DEVELOPMENT_ONLY == wanted, name
        if overlay == "production":
            assert not told & DEVELOPMENT_ONLY, name


def _variables(overlay: str, container: dict[str, Any]) -> set[str]:
    maps = of_kind(overlay, "ConfigMap")
    told = {each["name"] for each in container.get("env", ())}
    for source in container["envFrom"]:
        told |= maps[source["configMapRef"]["name"]]["data"].keys()
    return told


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_lies_in_a_manifest(overlay: str):
    """Secrets are referred to by name, and a pod refers to those of its own service alone."""
    assert not of_kind(overlay, "Secret")
    for each in of_kind(overlay, "ConfigMap").values():
        assert not [name for name in each["data"] if SECRET.search(name)]
    for name, workload in ours(overlay).items():
        if labels_of(workload)[COMPONENT] in ("simulator", "verify"):
            continue
        owner = labels_of(workload)[NAME]
        for container in containers_of(workload):
            for variable in container.get("env", ()):
                secret = variable["valueFrom"]["secretKeyRef"]
                assert secret["key"] == variable["name"], name
                assert secret["name"] in {owner, name if name.endswith("-migrate") else owner}, name


def test_development_secrets_are_complete():
    """`deploy/dev_secrets.py` makes every key that a pod refers to, and no other."""
    wanted: dict[str, set[str]] = {}
    for workload in ours("development").values():
        for container in containers_of(workload):
            for variable in container.get("env", ()):
                secret = variable["valueFrom"]["secretKeyRef"]
                if not secret.get("optional"):
                    wanted.setdefault(secret["name"], set()).add(secret["key"])
    made = secrets()
    assert {name: set(made[name]) for name in made if name != "postgres"} == wanted
    roles = (REPOSITORY / "deploy" / "postgres" / "init.sh").read_text()
    assert all(key[: -len("_PASSWORD")].lower() in roles for key in made["postgres"])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_our_pods_are_hardened(overlay: str):
    """As the strictest of Kubernetes' own standards asks, and read-only besides."""
    standard = of_kind(overlay, "Namespace")["mentorium"]["metadata"]["labels"]
    assert standard["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, workload in ours(overlay).items():
        pod = spec_of(workload)
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"] is True, name
            assert rights["allowPrivilegeEscalation"] is False, name
            assert rights["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"].keys() == {"requests", "limits"}, name
    accounts = of_kind(overlay, "ServiceAccount").values()
    assert all(each["automountServiceAccountToken"] is False for each in accounts)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_servers_are_watched_and_have_time_to_drain(overlay: str):
    """Ready, alive and started are asked for; who is told to go has longer than it may take."""
    for name, workload in of_kind(overlay, "Deployment").items():
        pod, (container,) = spec_of(workload), containers_of(workload)
        assert container["startupProbe"]["httpGet"]["path"] == "/livez", name
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz", name
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez", name
        before = (
            container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        )
        balanced = labels_of(workload)[COMPONENT] in ("api", "web")
        probe = container["readinessProbe"]["periodSeconds"]
        assert (before >= probe + NOTICE_SECONDS) == balanced, name
        assert pod["terminationGracePeriodSeconds"] >= before + STOP_SECONDS, name
        assert workload["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, name


def test_production_scales_and_survives_the_emptying_of_a_node():
    """APIs follow the CPU, workers the lag of their own group; one of a kind goes at a time."""
    deployments = of_kind("production", "Deployment")
    by_cpu = of_kind("production", "HorizontalPodAutoscaler")
    by_lag = of_kind("production", "ScaledObject")
    assert by_lag.keys() == {f"{name}-worker" for name in SERVICE_NAMES}
    assert by_cpu.keys() == deployments.keys() - by_lag.keys()
    assert not any("replicas" in each["spec"] for each in deployments.values())
    for name, each in by_cpu.items():
        assert each["spec"]["scaleTargetRef"]["name"] == name
        assert each["spec"]["minReplicas"] >= 2
    for name, each in by_lag.items():
        spec, service = each["spec"], name.removesuffix("-worker")
        (trigger,) = spec["triggers"]
        assert read_by(service)
        assert spec["scaleTargetRef"]["name"] == name
        assert trigger["metadata"]["consumerGroup"] == service
        variable = trigger["metadata"]["bootstrapServersFromEnv"]
        assert variable in of_kind("production", "ConfigMap")["common"]["data"]
        assert 2 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= PARTITIONS
    budgets = of_kind("production", "PodDisruptionBudget")
    assert budgets.keys() == deployments.keys()
    for name, each in budgets.items():
        assert each["spec"]["maxUnavailable"] == 1
        assert _chosen(each["spec"]["selector"], "production") == {name}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_leads_to_one_workload(overlay: str):
    """Names are those that the settings speak of."""
    for name, each in of_kind(overlay, "Service").items():
        assert _chosen({"matchLabels": each["spec"]["selector"]}, overlay) == {name}


def test_production_says_which_version_runs():
    """No image is `latest`, and none comes from nowhere."""
    for workload in ours("production").values():
        for container in containers_of(workload):
            assert re.fullmatch(
                r"registry\.example/mentorium/\w+:\d+\.\d+\.\d+", container["image"]
            )


def test_only_who_must_can_speak_with_whom():
    """Services meet on Kafka alone: over the network they reach the public keys and no more."""
    apis = {f"{name}-api" for name in SERVICE_NAMES}
    expected = {("web", api) for api in apis} | {(api, "profiles-api") for api in apis}
    pods = {name: labels_of(workload) for name, workload in ours("production").items()}
    seen = {
        (one, other)
        for one, other in product(pods, pods)
        if _may("Egress", pods[one], pods[other]) and _may("Ingress", pods[other], pods[one])
    }
    assert seen == expected


@pytest.mark.parametrize(
    ("policy", "who"),
    [
        ("services-reach-the-database", ("api", "worker", "migrate", "verify")),
        ("workers-reach-the-broker", ("worker", "topics")),
    ],
)
def test_only_who_must_reaches_an_engine(policy: str, who: tuple[str, ...]):
    """An API never speaks with Kafka, the web client with neither."""
    chosen = _chosen(of_kind("production", "NetworkPolicy")[policy]["spec"]["podSelector"],
                     "production")  # fmt: skip
    assert {name.rsplit("-", 1)[-1] for name in chosen} == set(who)


def _chosen(selector: dict[str, Any], overlay: str) -> set[str]:
    workloads = ours(overlay) | of_kind(overlay, "StatefulSet")
    return {name for name, each in workloads.items() if _matches(selector, labels_of(each))}


def _matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    known = {"matchLabels", "matchExpressions"}
    assert selector.keys() <= known, selector
    exact = all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items())
    return exact and all(
        each["operator"] == "In" and labels.get(each["key"]) in each["values"]
        for each in selector.get("matchExpressions", ())
    )


def _may(direction: str, here: dict[str, str], there: dict[str, str]) -> bool:
    """Whether a pod may send to (Egress) or hear (Ingress) another one, by the policies."""
    side, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    policies = [
        each["spec"]
        for each in of_kind("production", "NetworkPolicy").values()
        if direction in each["spec"]["policyTypes"] and _matches(each["spec"]["podSelector"], here)
    ]
    assert policies, "what no policy is about is open"
    return any(
        "podSelector" in peer and "namespaceSelector" not in peer
        and _matches(peer["podSelector"], there)
        for policy in policies
        for rule in policy.get(side, ())
        for peer in rule[peers]
    )  # fmt: skip

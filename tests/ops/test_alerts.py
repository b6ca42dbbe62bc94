"""Alerts and the dashboard speak of metrics that processes really show, and lead to a runbook."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import aiohttp
import promql_parser
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from dev.ports import LOOPBACK, free_ports
from dev.table import SERVICES
from services.booking.store import gauges as booking
from services.notifications.store import gauges as notifications
from services.payments.store import gauges as payments
from services.profiles.store import gauges as profiles
from shared.health import KIT_GAUGES
from shared.telemetry import REGISTRY, gauge_of
from tests.engines import Databases
from tests.ops.promql import (
    REPOSITORY,
    Shown,
    alerts,
    expressions_of_the_dashboard,
    fires,
    parts,
    rules,
)

pytestmark = pytest.mark.xdist_group("alerts")
DEPLOY = REPOSITORY / "deploy"
RUNBOOKS = REPOSITORY / "docs" / "runbooks"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "mentorium.json").read_text())
OWN_GAUGES = (*booking.GAUGES, *notifications.GAUGES, *payments.GAUGES, *profiles.GAUGES)
OF_THE_TARGET = {"job", "instance", "process"}
START_SECONDS = 60.0
POLL_SECONDS = 0.1
Known = dict[str, set[str]]


def every_expression() -> list[str]:
    """Return the queries of rules, alerts and dashboard."""
    of_rules = [rule["expr"] for rule in rules().values()]
    return [*of_rules, *expressions_of_the_dashboard(DASHBOARD["panels"])]


@pytest.fixture(scope="module")
def known() -> Known:
    """Give the labels of every series that a process can show, by its name."""
    for measure in (*KIT_GAUGES, *OWN_GAUGES):
        gauge_of(measure)
    found: Known = {"up": set()} | {name: OF_THE_TARGET for name in rules() if ":" in name}
    for family in REGISTRY.collect():
        found |= dict.fromkeys(_series(family), _labels(family))
    return found


@pytest.fixture(scope="module")
async def shown(databases: Databases) -> AsyncGenerator[str]:
    """Give what a real process shows: payments, on a database of its own and without Kafka."""
    own = await databases.create()
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.payments", "all", "--port", str(port)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.DEVNULL,
        env=os.environ
        | {
            "PAYMENTS_DATABASE_URL": own.app_url("payments"),
            "PAYMENTS_STRIPE_KEY": "sk_test_x",
            "PAYMENTS_STRIPE_BASE_URL": f"http://{LOOPBACK}:{free_ports(1)[0]}",
            "PAYMENTS_STRIPE_WEBHOOK_SECRETS": "whsec_a",
            "PAYMENTS_STRIPE_CONNECT_WEBHOOK_SECRETS": "whsec_b",
            "PAYMENTS_WEB_URL": "https://web.test",
            "PROFILES_JWKS_URL": f"http://{LOOPBACK}:{free_ports(1)[0]}/keys",
            "KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:{free_ports(1)[0]}",
        },
    )
    try:
        yield await _metrics_of(f"http://{LOOPBACK}:{port}")
    finally:
        process.kill()
        await process.wait()
        await databases.drop(own.name)


async def _metrics_of(url: str) -> str:
    """Return what a process shows once its gauges have been read."""
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession(url) as session:
        while True:
            try:
                async with session.get("/metrics") as answer:
                    text = await answer.text()
                if 'of="service"' in text:
                    return text
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(POLL_SECONDS)


async def test_a_real_process_shows_what_is_known(shown: str, known: Known):
    """Every name of the kit and of its own service is there, read from a real database."""
    there = {name for family in text_string_to_metric_families(shown) for name in _series(family)}
    foreign = {each.name for each in OWN_GAUGES if each not in payments.GAUGES}
    missing = {name for name in known if ":" not in name} - there - foreign - {"up"}
    assert not {name for name in missing if not name.endswith("_created")}
    now = Shown(0.0)
    now.add(shown)
    assert now.samples["mentorium_payments_undetermined_calls"] == {frozenset(): 0.0}
    assert now.samples["mentorium_ledger_unbalanced_entries"] == {frozenset(): 0.0}
    assert frozenset({("state", "most")}) in now.samples["mentorium_db_pool_connections"]


def test_queries_name_series_and_labels_that_exist(known: Known):
    """A renamed metric or label is noticed here, and not by silence in the night."""
    wrong = [problem for each in every_expression() for problem in _problems(each, known)]
    assert not wrong


def test_a_query_about_nothing_is_noticed(known: Known):
    """The control: a series, a matched label and a grouping that are not there."""
    assert _problems("no_such_series > 1", known)
    assert _problems('mentorium_kept_events{colour="red"} > 1', known)
    assert _problems("sum by (colour) (mentorium_consumer_lag)", known)
    assert not _problems("sum by (topic) (mentorium_consumer_lag) > 1", known)


def test_every_alert_says_what_is_wrong_and_what_to_do():
    """Summary, description, severity, and a runbook that exists."""
    for name, alert in alerts().items():
        assert alert["labels"]["severity"] in ("critical", "warning"), name
        notes = alert["annotations"]
        assert len(notes["summary"]) > 10, name
        assert len(notes["description"]) > 10, name
        assert (REPOSITORY / notes["runbook_url"]).is_file(), name


def test_every_runbook_belongs_to_an_alert_and_to_the_index():
    """Nothing is left over, and the index leads to each."""
    linked = {alert["annotations"]["runbook_url"] for alert in alerts().values()}
    there = {f"docs/runbooks/{path.name}" for path in RUNBOOKS.glob("*.md")}
    assert there - {"docs/runbooks/README.md"} == linked
    index = (RUNBOOKS / "README.md").read_text()
    assert all(f"({name.rsplit('/', 1)[1]})" in index for name in linked)


def test_the_words_of_alerts_name_labels_that_remain():
    """A summary uses only labels that its expression leaves."""
    for name, alert in alerts().items():
        used = set(re.findall(r"\$labels\.(\w+)", json.dumps(alert["annotations"])))
        groups = re.findall(r"by \(([^)]*)\)", alert["expr"])
        left = {word.strip() for group in groups for word in group.split(",")}
        whole = not groups or ":" in alert["expr"]
        assert used <= (left | OF_THE_TARGET if whole else left), name


def test_prometheus_reads_every_process():
    """Each API and worker by the name of its container; rules and dashboard are where it looks."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "mentorium"
    names = {f"{service}-{role}" for service in SERVICES for role in ("api", "worker")}
    assert set(job["dns_sd_configs"][0]["names"]) == names
    assert job["relabel_configs"][0]["target_label"] == "process"
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])


def test_a_process_that_vanished_or_hangs_is_noticed():
    """A container that ended has no address, so nothing says that it is down."""
    names = [f"{service}-{role}" for service in SERVICES for role in ("api", "worker")]
    assert not _fires_for("ProcessDown", dict.fromkeys(names, 1.0))
    for name in names:
        others = dict.fromkeys(set(names) - {name}, 1.0)
        assert _fires_for("ProcessDown", others), name
        assert _fires_for("ProcessDown", others | {name: 0.0}), name


def _fires_for(alert: str, up: Mapping[str, float]) -> bool:
    now = Shown(0.0)
    for name, value in up.items():
        now.up(value, job="mentorium", instance=name, process=name)
    return fires(alert, now, now)


@pytest.mark.parametrize(("second", "wrong"), [((500, -500), False), ((500, -499), True)])
def test_books_are_added_up_per_worker(second: tuple[int, int], wrong: bool):
    """Two workers that read at two instants are both right; one whose sum is not zero is not."""
    now = Shown(0.0)
    for instance, balances in (("a", (200, -200)), ("b", second)):
        for account, minor in zip(("stripe", "mentors"), balances, strict=True):
            line = f'mentorium_ledger_balance_minor{{account="{account}",currency="EUR"}} {minor}\n'
            now.add(line, job="mentorium", instance=instance)
    assert fires("LedgerWrong", now, now) == wrong


def test_the_dashboard_asks_the_four_questions():
    """Rows in the order an operator asks, every panel with a query, none over another."""
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == [
        "Are people served?",
        "Is the money right?",
        "Is anything stuck?",
        "Is the machine full?",
    ]
    places = [tuple(sorted(panel["gridPos"].items())) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert all(panel.get("targets") for panel in DASHBOARD["panels"] if panel["type"] != "row")


def _problems(expression: str, known: Known) -> list[str]:
    """Return what an expression names that is not there."""
    found: list[str] = []
    for part in parts(promql_parser.parse(expression)):
        if isinstance(part, promql_parser.VectorSelector):
            labels = known.get(part.name)
            if labels is None:
                found.append(f"{part.name} is shown by nobody")
                continue
            matched = {each.name for each in part.matchers.matchers}
            found += [f"{part.name} has no {each}" for each in matched - labels - OF_THE_TARGET]
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier:
            below = [each.name for each in parts(part.expr) if hasattr(each, "matchers")]
            there = {label for name in below for label in known.get(name, set())} | OF_THE_TARGET
            found += [f"{below} have no {each}" for each in set(part.modifier.labels) - there]
    return found


def _series(family: Metric) -> list[str]:
    """Return the names under which a family's samples are shown."""
    ends = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return [f"{family.name}{end}" for end in ends.get(family.type, ("",))]


def _labels(family: Metric) -> set[str]:
    """Return the labels of a family, also of one that has no sample yet."""
    collectors: dict[str, Any] = vars(REGISTRY)["_names_to_collectors"]
    names = getattr(collectors.get(family.name), "_labelnames", ())
    return {*names, *({"le"} if family.type == "histogram" else ())}

"""As much of PromQL as our alerts use, evaluated over what processes showed at two moments.

Parsing is the library's; here is only the arithmetic
(https://prometheus.io/docs/prometheus/latest/querying/basics/). Anything more fails.
"""

from __future__ import annotations

import math
import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = Path(__file__).parents[2]
ALERTS = REPOSITORY / "deploy" / "prometheus" / "alerts.yml"
OPERATIONS: Mapping[str, Callable[[float, float], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "/": lambda a, b: a / b if b else math.nan,
    ">": operator.gt, "<": operator.lt, "==": operator.eq,
}  # fmt: skip
COMPARING = (">", "<", "==")
MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "MatchOp.Equal": lambda wanted, found: wanted == found,
    "MatchOp.NotEqual": lambda wanted, found: wanted != found,
    "MatchOp.Re": lambda wanted, found: re.fullmatch(wanted, found) is not None,
    "MatchOp.NotRe": lambda wanted, found: re.fullmatch(wanted, found) is None,
}

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]


@dataclass
class Shown:
    """What was read from the processes at one moment: samples by name."""

    at: float
    samples: dict[str, Vector] = field(default_factory=lambda: defaultdict(dict))

    def add(self, text: str, **target: str) -> None:
        """Add what one process showed, with the labels of the target."""
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = frozenset((sample.labels | target).items())
                self.samples[sample.name][labels] = sample.value

    def up(self, value: float, **target: str) -> None:
        """Say whether a process could be read."""
        self.samples["up"][frozenset(target.items())] = value


@cache
def rules() -> Mapping[str, Mapping[str, Any]]:
    """Return every recording rule and alert by its name."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    return {rule.get("alert") or rule["record"]: rule for rule in found}


@cache
def alerts() -> Mapping[str, Mapping[str, Any]]:
    """Return every alert by its name."""
    return {name: rule for name, rule in rules().items() if "alert" in rule}


def parts(expression: Any) -> Iterator[Any]:
    """Yield an expression and everything it is made of."""
    yield expression
    inner = [getattr(expression, name, None) for name in ("lhs", "rhs", "expr", "vector_selector")]
    for each in (*inner, *getattr(expression, "args", ())):
        if each is not None:
            yield from parts(each)


def fires(name: str, before: Shown, now: Shown) -> bool:
    """Return whether the condition of an alert holds; how long it must hold is left aside."""
    return bool(_Evaluation(before, now).vector(promql_parser.parse(alerts()[name]["expr"])))


class _Evaluation:
    def __init__(self, before: Shown, now: Shown) -> None:
        self._before = before
        self._now = now

    def vector(self, each: Any) -> Any:
        """Return the value of an expression: a number or a vector."""
        return getattr(self, f"_{type(each).__name__}")(each)

    def _NumberLiteral(self, each: Any) -> float:  # noqa: N802  Named after the parser's class.
        return each.val

    def _ParenExpr(self, each: Any) -> Any:  # noqa: N802
        return self.vector(each.expr)

    def _VectorSelector(self, each: Any) -> Vector:  # noqa: N802
        recorded = rules().get(each.name)
        if recorded and "record" in recorded:
            return self.vector(promql_parser.parse(recorded["expr"]))
        return _select(each, self._now)

    def _AggregateExpr(self, each: Any) -> Vector:  # noqa: N802
        kept = set(each.modifier.labels) if each.modifier else set()
        together: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in self.vector(each.expr).items():
            together[frozenset(pair for pair in labels if pair[0] in kept)].append(value)
        return {labels: {"sum": sum, "max": max}[str(each.op)](v) for labels, v in together.items()}

    def _BinaryExpr(self, each: Any) -> Any:  # noqa: N802
        left, right, name = self.vector(each.lhs), self.vector(each.rhs), str(each.op)
        if name == "or":
            return right | left
        work = OPERATIONS[name]
        pairs: Vector | dict[Labels, tuple[float, float]]
        if isinstance(right, float):
            pairs = {labels: (value, right) for labels, value in left.items()}
        elif isinstance(left, float):
            pairs = {labels: (left, value) for labels, value in right.items()}
        else:
            pairs = {labels: (left[labels], right[labels]) for labels in left.keys() & right.keys()}
        if name in COMPARING:
            return {labels: a for labels, (a, b) in pairs.items() if work(a, b)}
        return {labels: work(a, b) for labels, (a, b) in pairs.items()}

    def _Call(self, each: Any) -> Any:  # noqa: N802
        name = each.func.name
        if name == "time":
            return self._now.at
        if name in ("rate", "increase"):
            return self._grown(each.args[0].vector_selector, per_second=name == "rate")
        if name == "histogram_quantile":
            return _quantile(each.args[0].val, self.vector(each.args[1]))
        if name == "absent":
            return {} if self.vector(each.args[0]) else {_wanted(each.args[0]): 1.0}
        return {labels: {"abs": abs}[name](v) for labels, v in self.vector(each.args[0]).items()}

    def _grown(self, selector: Any, *, per_second: bool) -> Vector:
        span = (self._now.at - self._before.at if per_second else 0.0) or 1.0
        before = _select(selector, self._before)
        now = _select(selector, self._now)
        return {labels: (value - before.get(labels, 0.0)) / span for labels, value in now.items()}


def _select(selector: Any, shown: Shown) -> Vector:
    def fits(labels: Labels) -> bool:
        known = dict(labels)
        return all(
            MATCHES[str(each.op)](each.value, known.get(each.name, ""))
            for each in selector.matchers.matchers
        )

    return {labels: value for labels, value in shown.samples[selector.name].items() if fits(labels)}


def _wanted(selector: Any) -> Labels:
    """Return the labels that a selector names outright: those that `absent` gives."""
    matchers = selector.matchers.matchers
    return frozenset(
        (each.name, each.value) for each in matchers if str(each.op) == "MatchOp.Equal"
    )


def _quantile(share: float, buckets: Vector) -> Vector:
    """Return the upper bound of the bucket in which the share of what was observed is reached."""
    series: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, count in buckets.items():
        bound = float(dict(labels)["le"])
        series[frozenset(pair for pair in labels if pair[0] != "le")].append((bound, count))
    return {
        labels: next(bound for bound, count in found if count >= share * found[-1][1])
        for labels, each in series.items()
        if (found := sorted(each))[-1][1] > 0
    }


def expressions_of_the_dashboard(panels: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return every query of a Grafana dashboard."""
    return [target["expr"] for panel in panels for target in panel.get("targets", ())]

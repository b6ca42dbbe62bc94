"""`python -m tests.payments.ledger_page` writes docs/ledger.md: the chart, and every posting.

Both are made from the code: the accounts from the chart with its words, the postings by calling the
functions of the ledger with amounts that can be told apart afterwards.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
import typing
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid5

from services.payments import ledger
from services.payments.domain.movements import BOOKABLE
from services.payments.ledger.chart import Account
from services.payments.ledger.entries import Entry, Line, Paid
from shared.money import Money
from tests.house.sources import REPOSITORY

PAGE = REPOSITORY / "docs" / "ledger.md"
HEAD = """# The ledger

Double entry in integer minor units, per currency: debits are positive, credits negative, and \
every entry sums to zero. An entry is never changed or deleted; its cause is unique, so that an \
event posts once however often it is reported. What touches Stripe's balance names the object of \
Stripe that shows it ([decision 27](decisions/0027-books-that-prove-themselves.md)).

Made from `services/payments/ledger` by `python -m tests.payments.ledger_page`.
"""
NOT_POSTINGS = ("chart", "entries")
NAMES = {"sides": ("clearing", "payable", "debt", "platform", "losses")}
"""What the parts of a tuple of amounts are called."""
CAUSES = {"‹cause›": "refund_planned:‹refund›, credit_returned:‹session›, or of a dispute"}
"""Of what several events post alike."""
BASE, HIGHEST = 1_000, 20
"""An amount is a power of the base, the first the highest: a sum tells what it is made of."""
NOON = datetime(2030, 5, 6, 12, tzinfo=UTC)
NAMESPACE = UUID(int=0)
OTHERS: Any = SimpleNamespace(value="the other side")
CHOSEN: Any = SimpleNamespace(value="the account meant")
MEANT: dict[str, tuple[str, ...]] = {"by_hand": tuple(BOOKABLE)}
"""Which accounts a posting may be given; else where a purchase keeps its unused credits."""
OF_CREDITS = ("credits", "sponsored")


@dataclass(frozen=True)
class Posting:
    """One function of the ledger, and the entry it makes of amounts that have names."""

    name: str
    words: str
    cause: str
    debits: tuple[tuple[str, str], ...]
    credits: tuple[tuple[str, str], ...]


class Samples:
    """Arguments for a function of the ledger, which remember what they stand for."""

    def __init__(self, flag: bool) -> None:
        self.flag = flag
        self.amounts: list[str] = []
        self.ids: dict[UUID, str] = {}

    def of(self, kind: Any, name: str) -> Any:
        """Return a value of a type, under the name of its parameter."""
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin is tuple and inner[-1:] != (...,):
            names = NAMES.get(name) or [f"{name} {n + 1}" for n in range(len(inner))]
            return tuple(self.of(each, called) for each, called in zip(inner, names, strict=True))
        if inspect.isclass(origin) and issubclass(origin, Mapping):
            return {self.of(inner[0], name): self.of(inner[1], name)}
        if origin is not None and type(None) not in inner:
            return (self.of(inner[0], name),)
        return self._plain(inner[0] if origin is not None else kind, name)

    def _plain(self, kind: Any, name: str) -> Any:
        plain: dict[Any, Callable[[], Any]] = {
            Money: lambda: self.amount(name),
            UUID: lambda: self.id(name),
            Account: lambda: CHOSEN,
            Paid: lambda: Paid(self.amount("by card"), self.amount("discount")),
            datetime: lambda: NOON,
            bool: lambda: self.flag,
            int: lambda: 1,
            str: lambda: f"‹{name}›",
        }
        if kind in plain:
            return plain[kind]()
        assert is_dataclass(kind), f"{name}: no sample of {kind}"
        hints, make = typing.get_type_hints(kind), cast("Callable[..., Any]", kind)
        return make(**{each.name: self.of(hints[each.name], each.name) for each in fields(kind)})

    def amount(self, name: str) -> Money:
        self.amounts.append(name.replace("_", " "))
        return Money(self.whole(self.amounts[-1]), "USD")

    def whole(self, name: str) -> int:
        """Return what stands for an amount."""
        return BASE ** (HIGHEST - self.amounts.index(name))

    def id(self, name: str) -> UUID:
        made = uuid5(NAMESPACE, name)
        self.ids[made] = f"‹{name.removesuffix('_id')}›"
        return made

    def words(self, minor: int) -> str:
        """Return which amounts a sum is made of."""
        found: list[str] = []
        minor //= self.whole(self.amounts[-1])
        for name in reversed(self.amounts):
            times = (minor + BASE // 2) % BASE - BASE // 2
            minor = (minor - times) // BASE
            if times:
                sign = "− " if times < 0 else "+ "
                found.append(f"{sign}{abs(times) if abs(times) > 1 else ''}{name}")
        return " ".join(reversed(found)).removeprefix("+ ")

    def named(self, cause: str) -> str:
        """Return a cause with its ids as what they are of."""
        for made, name in self.ids.items():
            cause = cause.replace(str(made), name)
        return cause.replace(f"{NOON:%Y%m%dT%H%M%S}", "‹instant›")


def postings() -> dict[ModuleType, list[Posting]]:
    """Return every posting by the module that makes it."""
    found: dict[ModuleType, list[Posting]] = {}
    for info in pkgutil.iter_modules(ledger.__path__):
        if info.name in NOT_POSTINGS:
            continue
        module = importlib.import_module(f"{ledger.__name__}.{info.name}")
        functions = [each for each in vars(module).values() if _posts(each, module)]
        found[module] = [made for each in functions for made in _made(each)]
    return found


def _posts(value: Any, module: ModuleType) -> bool:
    own = inspect.isfunction(value) and value.__module__ == module.__name__
    public = own and not value.__name__.startswith("_")
    return public and typing.get_type_hints(value).get("return") is Entry


def _made(function: Callable[..., Entry]) -> Iterator[Posting]:
    """Call a function of the ledger, once with and once without each flag; name what it posts."""
    hints = typing.get_type_hints(function)
    flags = [name for name, kind in hints.items() if kind is bool]
    for flag in (True, False) if flags else (False,):
        samples = Samples(flag)
        entry = _called(function, hints, samples)
        said = [f"({'' if flag else 'not '}{name})" for name in flags]
        words = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
        sides: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
        for line in entry.lines:
            sides[line.minor < 0].append((line.account.value, samples.words(abs(line.minor))))
        yield Posting(
            entry.kind if "‹" not in entry.kind else function.__name__,
            f"{words.removeprefix('Post ').removeprefix('that ')} {' '.join(said)}".strip(),
            samples.named(CAUSES.get(entry.cause, entry.cause)),
            tuple(sides[0]),
            tuple(sides[1]),
        )


def _called(function: Callable[..., Entry], hints: Mapping[str, Any], samples: Samples) -> Entry:
    places: list[Any] = []
    named: dict[str, Any] = {}
    for name, each in inspect.signature(function).parameters.items():
        if each.kind is each.VAR_POSITIONAL:
            total = sum(map(samples.whole, samples.amounts))
            places.append(Line(OTHERS, -total, "USD"))
        elif each.kind is each.KEYWORD_ONLY:
            named[name] = samples.of(hints[name], name)
        else:
            places.append(samples.of(hints[name], name))
    return function(*places, **named)


def accounts() -> dict[Account, str]:
    """Return what the chart says of each account."""
    (chart,) = [
        each
        for each in ast.parse(inspect.getsource(ledger.chart)).body
        if isinstance(each, ast.ClassDef)
    ]
    said: dict[Account, str] = {}
    for one, after in itertools.pairwise(chart.body):
        if isinstance(one, ast.Assign) and isinstance(after, ast.Expr):
            (target,) = one.targets
            assert isinstance(target, ast.Name)
            assert isinstance(after.value, ast.Constant)
            said[Account[target.id]] = str(after.value.value)
    return said


def movers() -> dict[str, list[str]]:
    """Return the postings that move each account."""
    touched: dict[str, list[str]] = defaultdict(list)
    for posting in itertools.chain(*postings().values()):
        for account, _ in (*posting.debits, *posting.credits):
            meant = MEANT.get(posting.name, OF_CREDITS)
            for each in meant if account == CHOSEN.value else (account,):
                if f"`{posting.name}`" not in touched[each]:
                    touched[each].append(f"`{posting.name}`")
    return touched


def page() -> str:
    """Return the text of the page."""
    made, touched = postings(), movers()
    lines = [
        HEAD,
        "## The chart of accounts\n",
        "| account | what it is | moved by |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{account.value}` | {words} | {', '.join(touched[account.value])} |"
        for account, words in accounts().items()
    ]
    for module, found in made.items():
        words = (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")
        lines += [
            f"\n## {words.removesuffix(' Pure.')}\n",
            "| event | what it posts | debit | credit |",
        ]
        lines += ["|---|---|---|---|", *(_row(each) for each in found)]
    return "\n".join(lines) + "\n"


def _row(posting: Posting) -> str:
    debit, credit = (
        "<br>".join(f"`{account}` {amount}" for account, amount in side)
        for side in (posting.debits, posting.credits)
    )
    words = posting.words[:1].upper() + posting.words[1:]
    return f"| `{posting.cause}` | {words} | {debit} | {credit} |"


if __name__ == "__main__":
    PAGE.write_text(page())

"""Reading a page as a browser and a screen reader would: balanced tags, forms, labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset("area base br col hr img input link meta source wbr".split())
UNLABELLED_TYPES = frozenset({"hidden", "submit", "button"})
LANDMARKS = frozenset({"header", "nav", "main", "footer"})


@dataclass
class Form:
    """A form as it stands in the page."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class Page(HTMLParser):
    """A parsed page; `problems` says what is wrong with it."""

    html: str
    problems: list[str] = field(default_factory=list[str])
    forms: list[Form] = field(default_factory=list[Form])
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])
    text: str = ""
    _open: list[str] = field(default_factory=list[str])
    _textarea: str | None = None

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()
        if self._open:
            self.problems.append(f"never closed: {self._open}")
        self._check_ids()
        self._check_labels()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.problems.append(f"<{tag}> has an attribute twice: {names}")
        found = {name: value or "" for name, value in attrs}
        if tag == "input" and "label" in self._open:
            found["inside-label"] = "yes"
        self.tags.append((tag, found))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "form":
            self.forms.append(Form(found.get("action", ""), found.get("method", "get")))
        if tag in ("input", "select", "textarea") and "name" in found and "form" in self._open:
            unchecked = found.get("type") in ("checkbox", "radio") and "checked" not in found
            if not unchecked:
                self.forms[-1].fields[found["name"]] = found.get("value", "")
            self._textarea = found["name"] if tag == "textarea" else None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._textarea and self._open[-1:] == ["textarea"]:
            self.forms[-1].fields[self._textarea] = data.removeprefix("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID or not self._open or self._open[-1] != tag:
            self.problems.append(f"</{tag}> closes {self._open[-1:]}")
            return
        self._open.pop()

    def _check_ids(self) -> None:
        ids = [found["id"] for _, found in self.tags if "id" in found]
        self.problems += [f"id {each} twice" for each in set(ids) if ids.count(each) > 1]
        for tag, found in self.tags:
            for name in ("aria-describedby", "aria-labelledby", "for"):
                missing = [each for each in found.get(name, "").split() if each not in ids]
                self.problems += [f"<{tag}> {name} points at no {each}" for each in missing]

    def _check_labels(self) -> None:
        labelled = {found["for"] for tag, found in self.tags if tag == "label" and "for" in found}
        for tag, found in self.tags:
            if tag not in ("input", "select", "textarea"):
                continue
            silent = found.get("type") in UNLABELLED_TYPES or "inside-label" in found
            if not silent and found.get("id") not in labelled and "aria-label" not in found:
                self.problems.append(f"no label for {tag} {found.get('name')}")
        for landmark in LANDMARKS - {tag for tag, _ in self.tags}:
            self.problems.append(f"no <{landmark}>")
        if sum(tag == "h1" for tag, _ in self.tags) != 1:
            self.problems.append("not exactly one <h1>")

    def form(self, action: str) -> Form:
        """Return the form that posts to `action`."""
        return next(each for each in self.forms if each.action == action)

    def inline_code(self) -> list[str]:
        """Return what a strict content policy would refuse."""
        return [
            f"<{tag}> {name}"
            for tag, found in self.tags
            for name in found
            if name == "style" or name.startswith("on") or (tag == "script" and "src" not in found)
        ] + [tag for tag, _ in self.tags if tag == "style"]

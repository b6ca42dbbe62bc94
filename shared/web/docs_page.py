"""/docs: the OpenAPI document as a page for people. No script, no outside file, one style sheet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, cast

Json = Mapping[str, Any]

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent);
        --soft: color-mix(in srgb, currentColor 6%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; text-transform: capitalize; }
nav ul, .fields { list-style: none; padding-left: 0; } nav ul { columns: 18rem; }
.fields .fields { padding-left: 1.2rem; border-left: 2px solid var(--line); }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; }
summary { padding: .6rem .8rem; cursor: pointer; } details > div { padding: 0 .8rem .8rem; }
code, .method { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
.method { font-weight: 700; display: inline-block; min-width: 4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
         overflow-wrap: anywhere; border-top: 1px solid var(--line); }
.note { background: var(--soft); border-radius: .3rem; padding: .1rem .4rem; font-size: .85em; }
"""
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy under which the page works."""
DEEPEST = 4
"""How far a body is followed into itself."""


def page(document: Json) -> str:
    """Return the page as HTML."""
    topics: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = _operation(document, method, path, operation)
            topics.setdefault(operation["tags"][0], []).append(shown)
    sections = "".join(
        f'<section id="{escape(name)}"><h2>{escape(name)}</h2>{"".join(each)}</section>'
        for name, each in topics.items()
    )
    title = escape(document["info"]["title"])
    topic_list = "".join(f'<li><a href="#{escape(t)}">{escape(t)}</a></li>' for t in topics)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main><h1>{title}</h1>"
        f"<p>Version {escape(document['info']['version'])}. For programs: "
        '<a href="openapi.json">openapi.json</a> (OpenAPI 3.1).</p>'
        f'<nav aria-label="Topics"><ul>{topic_list}</ul></nav>{sections}</main></body></html>'
    )


def _operation(document: Json, method: str, path: str, operation: Json) -> str:
    may = _may(operation)
    parts = [f'<p>For <span class="note">{escape(may)}</span></p>']
    if operation["parameters"]:
        rows = ((p["name"], p["in"], _said(p)) for p in operation["parameters"])
        parts.append(_table(("parameter", "in", "meaning"), rows))
    if body := operation.get("requestBody"):
        parts.append(f"<h3>Body</h3>{_content(document, body)}")
    rows = (
        (status, _answer(document, _resolved(document, answer)))
        for status, answer in operation["responses"].items()
    )
    parts.append(_table(("status", "answer"), rows, raw=True))
    return (
        f'<details id="{escape(operation["operationId"])}"><summary>'
        f'<span class="method">{method.upper()}</span> <code>{escape(path)}</code> '
        f"{escape(operation['summary'])}</summary><div>{''.join(parts)}</div></details>"
    )


def _may(operation: Json) -> str:
    if "security" not in operation:
        return "everybody"
    return ", ".join(operation["security"][0]["person"]) or "everybody signed in"


def _said(parameter: Json) -> str:
    needed = "required" if parameter["required"] else "optional"
    return f"{_type(parameter['schema'])}, {needed}. {parameter.get('description', '')}"


def _answer(document: Json, answer: Json) -> str:
    parts = [_refusals(answer) or f"<p>{escape(answer['description'])}</p>"]
    if headers := [name for name in answer.get("headers", ()) if name != "X-Trace-Id"]:
        parts.append(f"<p>Headers: {escape(', '.join(headers))}</p>")
    if "application/json" in answer.get("content", {}):
        parts.append(_content(document, answer))
    if links := answer.get("links"):
        named = (f'<a href="#{escape(name)}">{escape(name)}</a>' for name in links)
        parts.append(f"<p>Leads to {', '.join(named)}.</p>")
    return "".join(parts)


def _refusals(answer: Json) -> str:
    """Return the codes of a refusal, each with what to do next; nothing for a good answer."""
    told = (line.removeprefix("- `").split("`: ", 1) for line in answer["description"].split("\n"))
    found = [f"<li><code>{escape(t[0])}</code> {escape(t[1])}</li>" for t in told if len(t) > 1]
    return f'<ul class="fields">{"".join(found)}</ul>' if found else ""


def _content(document: Json, part: Json) -> str:
    return _fields(document, part["content"]["application/json"]["schema"], DEEPEST)


def _fields(document: Json, schema: Json, depth: int) -> str:
    """Return the fields of an object, or of what a list holds, as nested lists."""
    whole = _object_in(document, schema)
    fields = cast("Json", whole.get("properties", {}))
    if not fields or depth == 0:
        return ""
    needed = whole.get("required", ())
    items = (
        f"<li><code>{escape(name)}</code> {escape(_type(_resolved(document, said)))}"
        f"{'' if name in needed else ', optional'}"
        f" {escape(said.get('description', ''))}{_fields(document, said, depth - 1)}</li>"
        for name, said in fields.items()
    )
    return f'<ul class="fields">{"".join(items)}</ul>'


def _object_in(document: Json, schema: Json) -> Json:
    """Return the object a schema stands for: itself, what it points at, holds, or may be."""
    whole = _resolved(document, schema)
    for key in ("anyOf", "allOf"):
        if key in whole:
            return _object_in(document, whole[key][0])
    return _object_in(document, whole["items"]) if "items" in whole else whole


def _resolved(document: Json, part: Json) -> Json:
    if "$ref" not in part:
        return part
    found: Any = document
    for step in str(part["$ref"]).removeprefix("#/").split("/"):
        found = found[step]
    return cast("Json", found)


def _type(schema: Json) -> str:
    """Return the type of a value in words, with what bounds it."""
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join(str(word) for word in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    words = str(schema.get("format", schema.get("type", "anything")))
    bounds = [f"{name} {schema[name]}" for name in _BOUNDS if name in schema]
    return f"{words} ({', '.join(bounds)})" if bounds else words


_BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern")


def _table(names: Iterable[str], rows: Iterable[Iterable[str]], *, raw: bool = False) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell if raw else escape(cell)}</td>' for cell in row)}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

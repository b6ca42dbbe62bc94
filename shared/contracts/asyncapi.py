"""The AsyncAPI 3.0 document: every topic, every fact, who sends it and who receives it.

What it is made of are the tables of this package: topics, facts, readers. Bindings are those of
Kafka (https://github.com/asyncapi/bindings/tree/master/kafka), version 0.5.0.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from shared.contracts.envelope import SPEC_VERSION, Fact
from shared.contracts.examples import example_of
from shared.contracts.readers import READERS, Service
from shared.contracts.sealed import Contact, OneTimeMessage
from shared.contracts.topics import FACTS, TOPICS, Topic

Json = dict[str, Any]
BINDING_VERSION = "0.5.0"
REF_TEMPLATE = "#/components/schemas/{model}"
SEALED = {"ContactSealed": Contact, "MessageSealed": OneTimeMessage}
"""What lies inside, for the one reader that has the key."""
_DESCRIPTION = """\
What the services of Mentorium tell each other. Every fact is a CloudEvent 1.0 in Kafka's binary
mode: the attributes are record headers, the value is the fact as JSON. The record key orders the
facts of one aggregate; `version` rises by one with each of them on a topic. Facts only ever gain
optional fields; readers ignore the fields and the facts they do not know. A fact may arrive more
than once, with the same `ce_id`.
"""


def document() -> Json:
    """Return the AsyncAPI document."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Mentorium facts", "version": "1.0.0", "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "description": "Topics may carry a prefix there (KAFKA_TOPIC_PREFIX).",
                "variables": {"bootstrap": {"description": "KAFKA_BOOTSTRAP_SERVERS"}},
            }
        },
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {
            "messages": {fact.__name__: _message(fact) for fact in FACTS},
            "schemas": _schemas(),
        },
    }


def _channel(topic: Topic) -> Json:
    policy = "compact" if topic.compacted else "delete"
    again = " Its state can be told again as snapshots." if topic.retold else ""
    return {
        "address": topic.name,
        "description": f"Spoken by {topic.writer}, keyed by `{topic.key}`.{again}",
        "messages": {
            fact.__name__: {"$ref": f"#/components/messages/{fact.__name__}"}
            for fact in topic.facts
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [policy],
                    "delete.retention.ms" if topic.compacted else "retention.ms": (
                        topic.retention_ms
                    ),
                },
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _operations() -> Json:
    found: Json = {}
    for topic in TOPICS:
        found[f"{topic.writer}.sends.{topic.name}"] = {
            **_operation("send", topic, topic.facts),
            "summary": f"{topic.writer} tells what happened.",
        }
        for service in topic.readers:
            heard = tuple(fact for fact in topic.facts if service in READERS.get(fact, {}))
            found[f"{service}.receives.{topic.name}"] = {
                **_operation("receive", topic, heard),
                "summary": f"{service} obeys these facts and leaves the others.",
                "description": "\n".join(
                    f"- `{fact.__name__}`: {READERS[fact][service]}" for fact in heard
                ),
                "bindings": {"kafka": _group(service)},
            }
    return found


def _operation(action: str, topic: Topic, facts: tuple[type[Fact], ...]) -> Json:
    channel = f"#/channels/{topic.name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{fact.__name__}"} for fact in facts],
    }


def _group(service: Service) -> Json:
    group = {"type": "string", "const": service}
    return {"groupId": group, "bindingVersion": BINDING_VERSION}


def received_by(service: Service, described: Json) -> set[str]:
    """Return the facts that a document lists as received by a service."""
    return {
        message["$ref"].rsplit("/", 1)[-1]
        for name, operation in described["operations"].items()
        if operation["action"] == "receive" and name.startswith(f"{service}.")
        for message in operation["messages"]
    }


def _message(fact: type[Fact]) -> Json:
    data = example_of(fact)
    headers = _headers(fact)
    shown = {name: said["examples"][0] for name, said in headers["properties"].items()}
    message: Json = {
        "name": fact.type_name(),
        "title": fact.__name__,
        "summary": " ".join((fact.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": headers,
        "payload": {"$ref": REF_TEMPLATE.format(model=fact.__name__)},
        "bindings": {"kafka": {"key": _key(fact), "bindingVersion": BINDING_VERSION}},
        "examples": [{"name": fact.__name__, "headers": shown, "payload": data}],
    }
    if fact.tombstone:
        message["description"] = "A tombstone: no value; the fact travels in the header `data`."
        message["payload"] = {"type": "null"}
        message["examples"] = [{"name": fact.__name__, "headers": shown}]
    if inside := SEALED.get(fact.__name__):
        message["description"] = (
            f"`sealed` is a JWE to the public key of `notifications`; inside is a"
            f" `{inside.__name__}` as JSON, which nobody else can read."
        )
    return message


def _key(fact: type[Fact]) -> Json:
    said = fact.model_json_schema()["properties"][fact.key_field]
    return {name: said[name] for name in ("type", "format", "description")}


def _headers(fact: type[Fact]) -> Json:
    """Return what the record headers hold; `shared/contracts/envelope.py` writes them."""
    speaker = fact.topic.split(".", 1)[0]
    data = example_of(fact)
    said: Json = {
        "ce_specversion": {"const": SPEC_VERSION, "examples": [SPEC_VERSION]},
        "ce_id": {"format": "uuid", "examples": ["0198c5a1-7f3e-7c42-9d11-5a0e6b2f0901"]},
        "ce_source": {"const": f"/services/{speaker}", "examples": [f"/services/{speaker}"]},
        "ce_type": {"const": fact.type_name(), "examples": [fact.type_name()]},
        "ce_subject": {
            "description": f"The record key: `{fact.key_field}`.",
            "examples": [data[fact.key_field]],
        },
        "ce_time": {
            "description": "The business instant at which it happened.",
            "format": "date-time",
            "examples": ["2026-03-02T12:00:00+00:00"],
        },
        "ce_traceparent": {
            "description": "The trace it belongs to (W3C Trace Context).",
            "examples": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
        },
        "content-type": {"const": "application/json", "examples": ["application/json"]},
    }
    if fact.tombstone:
        inside = fact.model_validate(data).model_dump_json()
        said["data"] = {"contentMediaType": "application/json", "examples": [inside]}
    return {
        "type": "object",
        "properties": {name: {"type": "string", **shape} for name, shape in said.items()},
        "required": [name for name in said if name != "ce_traceparent"],
    }


def _schemas() -> Json:
    models = [*FACTS, *SEALED.values()]
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=REF_TEMPLATE
    )
    return definitions["$defs"]

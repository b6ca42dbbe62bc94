"""What `kubectl kustomize` makes of our folders, without kubectl: the few features that they use.

A key of a kustomization that is not known here is an error, so nothing is ever left out silently.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

Resource = dict[str, Any]

KNOWN = {
    "apiVersion", "kind", "namespace", "resources", "components", "generatorOptions",
    "configMapGenerator", "patches", "labels", "images",
}  # fmt: skip
MERGE_KEYS = ("name", "mountPath", "containerPort", "topologyKey")
"""By these Kubernetes knows the items of its lists; others are replaced as a whole."""


def render(folder: Path) -> list[Resource]:
    """Return the resources of a folder with a kustomization."""
    asked = _read(folder)
    found = [each for name in asked.get("resources", ()) for each in _resources(folder / name)]
    found += [_config_map(folder, each) for each in asked.get("configMapGenerator", ())]
    for component in asked.get("components", ()):
        _patch(folder / component, _read(folder / component), found)
    _patch(folder, asked, found)
    for resource in found:
        _finish(asked, resource)
    return found


def _read(folder: Path) -> dict[str, Any]:
    asked: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert asked.keys() <= KNOWN, f"{folder}: {asked.keys() - KNOWN}"
    return asked


def _resources(path: Path) -> list[Resource]:
    if path.is_dir():
        return render(path)
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def _config_map(folder: Path, asked: dict[str, Any]) -> Resource:
    data = {name: (folder / name).read_text() for name in asked["files"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": asked["name"]},
            "data": data}  # fmt: skip


def _patch(folder: Path, asked: dict[str, Any], resources: list[Resource]) -> None:
    for patch in asked.get("patches", ()):
        for change in _resources(folder / patch["path"]):
            hit = [each for each in resources if _is_meant(each, change, patch.get("target"))]
            assert hit, f"{folder / patch['path']} changes nothing"
            for resource in hit:
                name = {key: resource[key] for key in ("apiVersion", "kind")}
                changed = merged(resource, {**change, **name, "metadata": {}})
                resource.clear()
                resource.update(changed)


def _is_meant(resource: Resource, change: Resource, target: dict[str, str] | None) -> bool:
    if target is None:
        own, other = (
            (each["apiVersion"], each["kind"], each["metadata"]["name"])
            for each in (resource, change)
        )
        return own == other
    labels = resource["metadata"].get("labels", {})
    return resource["kind"] == target["kind"] and _selects(target.get("labelSelector"), labels)


def _selects(selector: str | None, labels: dict[str, str]) -> bool:
    if selector is None:
        return True
    among = re.fullmatch(r"(\S+) in \((.+)\)", selector)
    assert among, f"a selector of another form: {selector}"
    return labels.get(among[1]) in among[2].split(", ")


def merged(old: Any, new: Any) -> Any:
    """Return `old` with a strategic merge patch laid over it."""
    if isinstance(old, dict) and isinstance(new, dict):
        both = {key: merged(old.get(key), value) for key, value in new.items() if value is not None}
        return {key: value for key, value in old.items() if key not in new} | both
    if isinstance(old, list) and isinstance(new, list):
        for key in MERGE_KEYS:
            if all(isinstance(each, dict) and key in each for each in (*old, *new)):
                items = {each[key]: each for each in old}
                return list((items | {e[key]: merged(items.get(e[key]), e) for e in new}).values())
    return deepcopy(new)


def _finish(asked: dict[str, Any], resource: Resource) -> None:
    """Add namespace and labels, and name the images."""
    metadata = resource["metadata"]
    if "namespace" in asked and resource["kind"] != "Namespace":
        metadata["namespace"] = asked["namespace"]
    template = resource.get("spec", {}).get("template")
    for label in asked.get("labels", ()):
        metadata.setdefault("labels", {}).update(label["pairs"])
        if template and label.get("includeTemplates"):
            template["metadata"].setdefault("labels", {}).update(label["pairs"])
    images = {each["name"]: each for each in asked.get("images", ())}
    for container in containers_of(resource):
        if image := images.get(container["image"]):
            container["image"] = f"{image.get('newName', image['name'])}:{image['newTag']}"


def pod_of(resource: Resource) -> dict[str, Any] | None:
    """Return the template of a workload's pods; None for what has none."""
    spec = resource.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    template: dict[str, Any] | None = spec.get("template")
    return template


def containers_of(resource: Resource) -> list[dict[str, Any]]:
    """Return the containers of a workload's pods."""
    pod = pod_of(resource)
    found: list[dict[str, Any]] = pod["spec"]["containers"] if pod else []
    return found

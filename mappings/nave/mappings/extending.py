"""A mapping that begins from another one, `extends:`, and says only what is different."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nave.core.errors import ConfigError
from nave.mappings.problems import near, shown
from nave.mappings.shipping import shipped_names

LONGEST_LINE = 8
"""Mappings that may extend one another in a row."""

Find = Callable[[str], "Mapping[str, Any] | None"]
"""The contents of a mapping file by name; None where there is no such mapping."""

_OWN = ("mapping", "from", "to", "extends")
"""What a mapping says of itself, and never takes over."""


def extended(data: Mapping[str, Any], find: Find) -> dict[str, Any]:
    """The contents of a mapping file with all that it extends, and without `extends`.

    A key that both have is the extending one's; `null` takes a key or field away; below `fields` this goes on member by
    member, into lists and objects too. Lists (`drop`) are added up. Raises ConfigError: M033 for a mapping that is not
    there, M034 for a circle.
    """
    line: list[Mapping[str, Any]] = [data]
    names = [str(data.get("mapping"))]
    while isinstance(name := line[-1].get("extends"), str):
        found = find(name)
        if found is None:
            raise ConfigError("NAVE-M033", name=shown(name), near=near(name, shipped_names()))
        if name in names or len(line) >= LONGEST_LINE:
            raise ConfigError("NAVE-M034", names=" -> ".join(map(shown, [*names, name])))
        names.append(name)
        line.append(found)
    whole: dict[str, Any] = {}
    for each in reversed(line):
        whole = _over(whole, each)
    return whole


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = {key: value for key, value in base.items() if key not in _OWN}
    for key, value in own.items():
        if key == "extends":
            continue
        if key == "drop" and isinstance(value, list) and isinstance(merged.get(key), list):
            merged[key] = [*merged[key], *(one for one in value if one not in merged[key])]
        elif key == "fields" and isinstance(value, Mapping):
            merged[key] = _fields(merged.get(key), value)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    if own.get("python") or own.get("xslt"):
        merged = {key: value for key, value in merged.items() if key in own or key not in ("fields", "python", "xslt")}
    return merged


def _fields(base: Any, own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base) if isinstance(base, Mapping) else {}
    for name, value in own.items():
        before = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(before, Mapping) and _inside(value) and _inside(before):
            merged[name] = {**before, **value, "fields": _fields(before["fields"], value["fields"])}
        else:
            merged[name] = value
    return merged


def _inside(form: Mapping[str, Any]) -> bool:
    """Whether a form has fields of its own, which can be taken over one by one."""
    return isinstance(form.get("fields"), Mapping)

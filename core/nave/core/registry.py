"""Finds connectors by name through entry points: names first, imports late, duplicates refused."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from nave.core.errors import ConfigError
from nave.core.protocols import ConnectorSpec

GROUP = "nave.connectors"


@cache
def find_connectors() -> dict[str, EntryPoint]:
    """All installed connectors by name, none of them imported."""
    found = entry_points(group=GROUP)
    twice = [name for name, count in Counter(entry.name for entry in found).items() if count > 1]
    if twice:
        raise ConfigError("NAVE-S002", name=twice[0])
    return {entry.name: entry for entry in found}


def connector(name: str) -> ConnectorSpec:
    """The spec of one connector; a ConfigError names what is near when there is none of that name."""
    known = find_connectors()
    if name not in known:
        near = ", ".join(get_close_matches(name, known) or sorted(known))
        raise ConfigError("NAVE-S001", name=name, near=near)
    spec = known[name].load()
    assert isinstance(spec, ConnectorSpec)
    return spec

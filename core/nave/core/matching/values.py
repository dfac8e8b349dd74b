"""Reads the text that is compared out of a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def reader(field: str) -> Callable[[Mapping[str, Any]], str]:
    """Reads a dotted path, or several that are joined by `+`, as text; empty where there is nothing."""
    paths = tuple(tuple(path.split(".")) for path in field.split("+"))
    if len(paths) == 1 and len(paths[0]) == 1:
        name = paths[0][0]

        def read(document: Mapping[str, Any]) -> str:
            value = document.get(name)
            return value if isinstance(value, str) else "" if value is None else str(value)

        return read
    if len(paths) == 1:
        return lambda document: _text(document, paths[0])
    return lambda document: " ".join([part for part in [_text(document, path) for path in paths] if part])


def _text(document: Mapping[str, Any], path: tuple[str, ...]) -> str:
    value: Any = document
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return "" if value is None else str(value)

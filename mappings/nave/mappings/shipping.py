"""The mappings that ship with Nave, as text: `nave/nc/customer` and its like, for a hub's own to extend."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_PREFIX = "nave/"
_NAME = re.compile(r"nave(?:/[a-z0-9_-]{1,60}){1,4}", re.ASCII)


def shipped_text(name: str) -> str | None:
    """The YAML of a mapping that ships with Nave; None for any other name."""
    return _text(name, ".yaml")


def shipped_tests(name: str) -> str | None:
    """The YAML of the cases beside it."""
    return _text(name, ".test.yaml")


def _text(name: str, suffix: str) -> str | None:
    if not _NAME.fullmatch(name):
        return None
    file = _folder().joinpath(*f"{name.removeprefix(_PREFIX)}{suffix}".split("/"))
    return file.read_text(encoding="utf-8") if file.is_file() else None


@cache
def shipped_names() -> tuple[str, ...]:
    """The names of all of them, sorted."""
    return tuple(sorted(f"{_PREFIX}{path}" for path in _paths(_folder(), "")))


def _folder() -> Traversable:
    return files("nave.mappings").joinpath("library")


def _paths(folder: Traversable, prefix: str) -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _paths(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml") and not entry.name.endswith(".test.yaml"):
            yield prefix + entry.name.removesuffix(".yaml")

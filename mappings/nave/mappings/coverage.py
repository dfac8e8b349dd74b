"""How much of a mapping its tests look at, down to the members of objects and of the items of lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nave.mappings.lineage import LIST
from nave.mappings.spec import ExpectedError
from nave.mappings.targets import below
from nave.mappings.ways import Way

Said = tuple[Mapping[str, Any] | None, ExpectedError | None]
"""What a case expects: fields, or an error."""

_NO_FIELDS = frozenset({"key", "version", "changed_at", "deleted", "when", "*"})


@dataclass(frozen=True, slots=True)
class Coverage:
    """Target fields by whether any case expects anything of them, in the order of the file."""

    tested: Sequence[str]
    untested: Sequence[Way]


def coverage(ways: Iterable[Way], said: Iterable[Said]) -> Coverage:
    """Which of these fields the cases speak of; who expects a whole to be absent has tested all that is in it."""
    fields = [way for way in _leaves(list(ways)) if way.target not in _NO_FIELDS]
    seen = {path for expect, error in said for path in _expected(expect, error)}
    tested = [way.target for way in fields if any(name in seen for name in _upwards(way.target))]
    return Coverage(tested, [way for way in fields if way.target not in set(tested)])


def _leaves(ways: Sequence[Way]) -> Iterator[Way]:
    """The fields without the lists and objects around them."""
    names = [way.target for way in ways]
    for way in ways:
        if not any(name.startswith((f"{way.target}.", f"{way.target}{LIST}")) for name in names):
            yield way


def _expected(expect: Mapping[str, Any] | None, error: ExpectedError | None) -> Iterator[str]:
    if error is not None and error.field:
        yield "".join(f"{LIST}{rest.partition(']')[2]}" if n else rest for n, rest in enumerate(error.field.split("[")))
    for name, value in (expect or {}).items():
        yield from _paths(name, value)


def _paths(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for member, inner in value.items():
            yield from _paths(below(name, str(member)), inner)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _paths(f"{name}{LIST}", inner)
    else:
        yield name


def _upwards(name: str) -> Iterator[str]:
    """`lines[].product`, `lines[]`, `lines`."""
    yield name
    while name := max(name.rpartition(".")[0], name.removesuffix(LIST) if name.endswith(LIST) else "", key=len):
        yield name

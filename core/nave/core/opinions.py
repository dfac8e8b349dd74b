"""What a system that is also told means by what it says: its own opinion, field by field, since when, and what it has seen.

It is kept beside what the system says, and is nothing where all of that is the system's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nave.core.entities import Document, decode, encode
from nave.core.merge import Contribution

Tree = Mapping[str, Any]
"""The fields that a target is written, and what inside them: `{"code": True, "credit": {"amount": True}}`."""


class Turn(NamedTuple):
    """A time that a system showed something else than it had been told, without ever showing that."""

    value: str
    at: float


@dataclass(frozen=True)
class Opinion:
    """What counts of what a system says of one of its keys."""

    values: Document
    times: Mapping[str, float] = field(default_factory=dict)
    """When the system made each field what it is."""
    of: int | None = None
    """The golden record that it has been told of."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """By field, the golden version that it surely knew when it last said something new of it."""
    turns: Mapping[str, Sequence[Turn]] = field(default_factory=dict)


def read(text: str | None, document: Document, changed_at: float) -> Opinion:
    """The opinion as it was stored; all that is said where nothing was."""
    if text is None:
        return Opinion(document, dict.fromkeys(document, changed_at))
    data = decode(text)
    turns = {name: tuple(Turn(*one) for one in listed) for name, listed in data.get("turns", {}).items()}
    return Opinion(data["values"], data["times"], data.get("of"), data.get("seen", {}), turns)


def written(opinion: Opinion, document: Document, changed_at: float, required: Iterable[str]) -> str | None:
    """The text to store; None where all that is said is the system's own, and of one time.

    An opinion without one of the `required` fields is that of a copy: the record was not the system's own idea.
    """
    plain = opinion.values == document and not opinion.seen and not opinion.turns
    if plain and all(at == changed_at for at in opinion.times.values()):
        return None
    data: dict[str, Any] = {"values": opinion.values, "times": opinion.times, "of": opinion.of, "seen": opinion.seen}
    data["turns"] = {name: [list(one) for one in listed] for name, listed in opinion.turns.items()}
    return encode({**data, "copy": not opinion.values or any(name not in opinion.values for name in required)})


def contribution(system: str, key: str, changed_at: float, document: Document, opinion: str | None) -> Contribution:
    """What counts of a source record, as the merge takes it."""
    if opinion is None:
        return Contribution(system, key, changed_at, document)
    data = decode(opinion)
    return Contribution(system, key, changed_at, data["values"], data["times"], document, data["copy"])


def tree_of(paths: Iterable[Sequence[str]], refs: Iterable[str], fields: Collection[str]) -> Tree:
    """The tree of the paths that a mapping reads, `["lines", "[]", "quantity"]`; a reference counts as a whole.

    A path without steps is the whole record, with all its `fields`.
    """
    whole = {path.replace("[]", "") for path in refs}
    tree: dict[str, Any] = {}
    for path in paths:
        if not path:
            return dict.fromkeys(fields, True)
        _grow(tree, [step for step in path if step != "[]"], whole, "")
    return {name: inner for name, inner in tree.items() if name in fields}


def _grow(tree: dict[str, Any], steps: Sequence[str], whole: set[str], prefix: str) -> None:
    name = f"{prefix}.{steps[0]}" if prefix else steps[0]
    if name in whole:
        tree[steps[0]] = True
    elif len(steps) == 1:
        tree.setdefault(steps[0], True)
    else:
        # A list that is walked, or asked whether it is there, is read for what is taken from inside it.
        inner = tree.get(steps[0])
        tree[steps[0]] = inner if isinstance(inner, dict) else {}
        _grow(tree[steps[0]], steps[1:], whole, name)


def part(value: Any, tree: Any) -> Any:
    """Of a value, what the target is written of it."""
    if tree is True:
        return value
    if isinstance(value, list):
        return [part(item, tree) for item in value]
    if isinstance(value, Mapping):
        return {name: part(value[name], inner) for name, inner in tree.items() if value.get(name) is not None}
    return value

"""Which target field reads which source fields, and which source fields nobody reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

LIST = "[]"
"""A step into the items of a list."""
WHOLE: tuple[str, ...] = ()
"""The path of the whole record."""

Steps = tuple[str, ...]


def path_text(steps: Steps) -> str:
    """`CONTACTS[].NAME`, `Header["@id"]`; the whole record is `*`."""
    text = ""
    for step in steps:
        if step == LIST:
            text += LIST
        elif step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text or "*"


def _names(steps: Steps) -> Steps:
    """A path without its list steps: XML gives a child that came once without a list around it."""
    return tuple(step for step in steps if step != LIST)


def unread(records: Iterable[Mapping[str, Any]], used: Iterable[Steps]) -> set[str]:
    """Paths with a value in some record that no path of `used` reaches, as text."""
    known = {_names(steps) for steps in used}
    found: set[str] = set()
    seen: set[Steps] = set()
    for record in records:
        for steps in _leaves(record, WHOLE):
            if steps not in seen:
                seen.add(steps)
                names = _names(steps)
                if not any(names[:count] in known for count in range(len(names) + 1)):
                    found.add(path_text(steps))
    return found


def _leaves(value: Any, steps: Steps) -> Iterator[Steps]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*steps, str(name)))
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for inner in value:
            yield from _leaves(inner, (*steps, LIST))
    elif value not in (None, "", [], {}):
        yield steps

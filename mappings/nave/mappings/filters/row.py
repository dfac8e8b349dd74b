"""The shape of one filter: a row of a table that the compiler, the checks, the reference page and the tests all read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

Apply = Callable[[Any], Any]
"""From a value to a value; raises PermanentError for what it cannot take."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a filter may know besides its value, when the mapping is compiled."""

    time_zone: ZoneInfo
    table: Callable[[str], Apply]
    """The look-up of a value table by name, in the mapping's own direction; raises BadArgument for an unknown one."""


@dataclass(frozen=True, slots=True)
class Example:
    """An expression, the record it is run on, and what comes out; every one is run by the tests."""

    expression: str
    record: dict[str, Any]
    result: Any


class BadArgument(Exception):
    """A filter's argument that makes no sense, found while compiling."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter."""

    name: str
    usage: str
    en: str
    zh: str
    examples: tuple[Example, ...]
    make: Callable[..., Apply]
    """(surroundings, *constant arguments) -> the function; its signature says which arguments there are."""
    takes: Literal["text", "value", "anything"] = "value"
    """`text` and `value` never see an absent value: it passes by; `anything` does."""
    gives: Literal["text", "value", "object", "list", "same"] = "value"
    method: str | None = None
    """A method of str that does the same without arguments; compiled in place."""
    optional: bool = False
    """The path before it may be missing from the record."""
    grows: bool = field(default=False)
    """Its text can be longer than what it was given."""


def plain(apply: Apply) -> Callable[[Surroundings], Apply]:
    """The `make` of a filter without arguments."""

    def make(_around: Surroundings) -> Apply:
        return apply

    return make

"""The ways to fill a target field, read from YAML values into frozen pieces; which one it is, its keys say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nave.core.errors import ConfigError
from nave.mappings.problems import MappingProblem, YamlPath, near, shown

DEEPEST = 20
"""Levels of nested objects and lists in one field."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A string: an expression."""

    at: YamlPath
    source: str


@dataclass(frozen=True, slots=True)
class Constant:
    """`{const: ...}`, a number or a truth value."""

    at: YamlPath
    value: Any


@dataclass(frozen=True, slots=True)
class From:
    """`{from: EXPR, table: NAME, default: CONSTANT, unknown: refuse}`."""

    at: YamlPath
    expression: Expression
    table: str | None
    default: Any
    unknown: str | None


@dataclass(frozen=True, slots=True)
class Each:
    """`{each: EXPR, when: EXPR, fields: {...}}`; `item: ...` instead of fields gives a list of plain values."""

    at: YamlPath
    items: Expression
    when: Expression | None
    form: Form


@dataclass(frozen=True, slots=True)
class Object:
    """`{name: ..., name: ...}`."""

    at: YamlPath
    fields: tuple[tuple[str, Form], ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """`[..., ...]`: a list with as many items as are written, less those that are absent."""

    at: YamlPath
    items: tuple[Form, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """`{key: EXPR, system: NAME}`."""

    at: YamlPath
    keys: tuple[Expression, ...]
    system: str | None


@dataclass(frozen=True, slots=True)
class Python:
    """`{python: module:function}`."""

    at: YamlPath
    reference: str


Form = Expression | Constant | From | Each | Object | Listed | Reference | Python


class Forms:
    """Reads the fields of one mapping and collects what cannot be read."""

    def __init__(self, problems: list[MappingProblem], *, references: bool) -> None:
        self.problems = problems
        self.references = references
        """Whether `{key: ...}` is a reference; on the way out it is an object like any other."""

    def members(self, at: YamlPath, value: Any) -> Object:
        """The fields of a mapping, of an object, of each item."""
        if not isinstance(value, Mapping):
            self._problem(at, "NAVE-M010", value=shown(value), usage="{name: EXPRESSION}")
            return Object(at, ())
        read = [(str(name), self.read((*at, str(name)), inner)) for name, inner in value.items()]
        return Object(at, tuple((name, form) for name, form in read if form is not None))

    def read(self, at: YamlPath, value: Any) -> Form | None:
        """One field; None where there is nothing usable, with the problem noted."""
        if len(at) > 2 * DEEPEST:
            self._problem(at, "NAVE-M003", limit=DEEPEST)
            return None
        if isinstance(value, str):
            return Expression(at, str(value))
        if isinstance(value, bool | int | float | Decimal):
            return Constant(at, plain(value))
        if isinstance(value, list):
            read = [self.read((*at, index), inner) for index, inner in enumerate(value)]
            return Listed(at, tuple(form for form in read if form is not None))
        if isinstance(value, Mapping) and value:
            return self._from_keys(at, value)
        usage = "EXPRESSION, {const: ...}, {from: ...}, {each: ...}, {name: ...}"
        self._problem(at, "NAVE-M010", value=shown(value), usage=usage)
        return None

    def _from_keys(self, at: YamlPath, value: Mapping[str, Any]) -> Form | None:
        for mark, allowed, read in _BY_KEY:
            if mark == "key" and not self.references:
                continue
            if mark in value and (mark not in _SHARED or set(value) <= set(allowed)):
                stray = [key for key in value if key not in allowed]
                for key in stray:
                    self._problem((*at, key), "NAVE-M009", key=shown(key), form=mark, near=near(str(key), allowed))
                return read(self, at, value)
        return self.members(at, value)

    def expression(self, at: YamlPath, value: Any) -> Expression:
        """A string, or the text of a number that YAML took for one."""
        if not isinstance(value, str):
            self._problem(at, "NAVE-M010", value=shown(value), usage="EXPRESSION")
            return Expression(at, "none")
        return Expression(at, str(value))

    def name(self, at: YamlPath, value: Any) -> str | None:
        """A plain name, or nothing."""
        if value is not None and not isinstance(value, str):
            self._problem(at, "NAVE-M010", value=shown(value), usage="NAME")
            return None
        return None if value is None else str(value)

    def _problem(self, at: YamlPath, code: str, **params: Any) -> None:
        self.problems.append(MappingProblem(at, None, ConfigError(code, **params)))

    # --- the forms with keys -------------------------------------------------------------------------------------

    def const(self, at: YamlPath, value: Mapping[str, Any]) -> Form:
        return Constant(at, plain(value["const"]))

    def source(self, at: YamlPath, value: Mapping[str, Any]) -> Form:
        unknown = self.name((*at, "unknown"), value.get("unknown"))
        if unknown not in (None, "refuse", "pass", "default"):
            self._problem((*at, "unknown"), "NAVE-M010", value=shown(unknown), usage="refuse, pass, default")
            unknown = None
        table = self.name((*at, "table"), value.get("table"))
        expression = self.expression((*at, "from"), value["from"])
        return From(at, expression, table, plain(value.get("default")), unknown)

    def each(self, at: YamlPath, value: Mapping[str, Any]) -> Form | None:
        items = self.expression((*at, "each"), value["each"])
        when = self.expression((*at, "when"), value["when"]) if "when" in value else None
        if ("fields" in value) == ("item" in value):
            self._problem(at, "NAVE-M010", value="each", usage="{each: EXPRESSION, fields: {...}}")
            return None
        inner: Form | None = self.members((*at, "fields"), value["fields"]) if "fields" in value else None
        inner = inner or self.read((*at, "item"), value.get("item"))
        return Each(at, items, when, inner) if inner else None

    def fields(self, at: YamlPath, value: Mapping[str, Any]) -> Form:
        return self.members((*at, "fields"), value["fields"])

    def reference(self, at: YamlPath, value: Mapping[str, Any]) -> Form:
        keys = self.keys((*at, "key"), value["key"])
        return Reference(at, keys, self.name((*at, "system"), value.get("system")))

    def keys(self, at: YamlPath, value: Any) -> tuple[Expression, ...]:
        """One expression or several; several are joined with `/`."""
        if isinstance(value, list) and value:
            return tuple(self.expression((*at, index), inner) for index, inner in enumerate(value))
        return (self.expression(at, value),)

    def python(self, at: YamlPath, value: Mapping[str, Any]) -> Form:
        return Python((*at, "python"), self.name((*at, "python"), value["python"]) or "")


_BY_KEY: tuple[tuple[str, tuple[str, ...], Callable[[Forms, YamlPath, Mapping[str, Any]], Form | None]], ...] = (
    ("const", ("const",), Forms.const),
    ("each", ("each", "when", "fields", "item"), Forms.each),
    ("from", ("from", "table", "default", "unknown"), Forms.source),
    ("python", ("python",), Forms.python),
    ("fields", ("fields",), Forms.fields),
    ("key", ("key", "system"), Forms.reference),
)
"""A key that gives a form away, the keys that it can have, and its reader, in the order they are looked for."""

_SHARED = frozenset({"key", "fields", "python"})
"""Keys that may also be plain names of an object; they make a form only where nothing else stands beside them."""


def plain(value: Any) -> Any:
    """A YAML value as plain Python: fractions as Decimal, no subclasses of the YAML library."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return Decimal(repr(float(value)))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value

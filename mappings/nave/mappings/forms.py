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
    at_day: Expression | None = None
    """The day on which the code must be valid, for tables whose rows have dates."""


@dataclass(frozen=True, slots=True)
class When:
    """`{when: EXPR, ...}` around any other form but `each`, which has a `when` of its own for its items."""

    at: YamlPath
    condition: Expression
    form: Form


@dataclass(frozen=True, slots=True)
class Xml:
    """`{xml: NAME, namespaces: {...}, fields: {...}}`: the text of a document."""

    at: YamlPath
    name: str
    namespaces: Mapping[str, str]
    form: Object


@dataclass(frozen=True, slots=True)
class Xslt:
    """`{xslt: FILE, from: EXPR}`; without `from`, the whole record or item."""

    at: YamlPath
    reference: str
    source: Expression | None


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


Form = Expression | Constant | From | Each | Object | Listed | Reference | Python | When | Xml | Xslt


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
        if "when" in value and self._is_conditional(value):
            inner = self._from_keys(at, {key: one for key, one in value.items() if key != "when"})
            return When(at, self.expression((*at, "when"), value["when"]), inner) if inner else None
        for mark, allowed, read in _BY_KEY:
            if mark == "key" and not self.references:
                continue
            if mark in value and (mark not in _SHARED or set(value) <= set(allowed)):
                stray = [key for key in value if key not in allowed]
                for key in stray:
                    self._problem((*at, key), "NAVE-M009", key=shown(key), form=mark, near=near(str(key), allowed))
                return read(self, at, value)
        return self.members(at, value)

    def _is_conditional(self, value: Mapping[str, Any]) -> bool:
        """Whether `when` is a condition, not the name of an object's member: a form stands beside it."""
        rest = set(value) - {"when"}
        marks = [
            (mark, allowed) for mark, allowed, _read in _BY_KEY if mark != "each" and (mark != "key" or self.references)
        ]
        return any(mark in rest and (mark not in _SHARED or rest <= set(allowed)) for mark, allowed in marks)

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
        day = self.expression((*at, "at"), value["at"]) if "at" in value else None
        return From(at, expression, table, plain(value.get("default")), unknown, day)

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

    def xml(self, at: YamlPath, value: Mapping[str, Any]) -> Form:
        spaces = value.get("namespaces", {})
        if not isinstance(spaces, Mapping) or not all(isinstance(uri, str) and uri for uri in spaces.values()):
            self._problem((*at, "namespaces"), "NAVE-M010", value=shown(spaces), usage="{PREFIX: URI}")
            spaces = {}
        known = {str(prefix): str(uri) for prefix, uri in spaces.items()}
        form = self.members((*at, "fields"), value.get("fields"))
        return Xml(at, self.name((*at, "xml"), value["xml"]) or "", known, form)

    def xslt(self, at: YamlPath, value: Mapping[str, Any]) -> Form:
        source = self.expression((*at, "from"), value["from"]) if "from" in value else None
        return Xslt((*at, "xslt"), self.name((*at, "xslt"), value["xslt"]) or "", source)


_BY_KEY: tuple[tuple[str, tuple[str, ...], Callable[[Forms, YamlPath, Mapping[str, Any]], Form | None]], ...] = (
    ("const", ("const",), Forms.const),
    ("each", ("each", "when", "fields", "item"), Forms.each),
    ("xml", ("xml", "namespaces", "fields"), Forms.xml),
    ("xslt", ("xslt", "from"), Forms.xslt),
    ("from", ("from", "table", "default", "unknown", "at"), Forms.source),
    ("python", ("python",), Forms.python),
    ("fields", ("fields",), Forms.fields),
    ("key", ("key", "system"), Forms.reference),
)
"""A key that gives a form away, the keys that it can have, and its reader, in the order they are looked for."""

_SHARED = frozenset({"key", "fields", "python", "xml", "xslt"})
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

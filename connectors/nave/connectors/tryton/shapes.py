"""Records of the hub as rows of Tryton: each value in its field's type, texts that refer to other rows as their ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nave.connectors.tryton.families import PLACE, is_numbered, relation
from nave.connectors.tryton.options import TrytonSinkOptions
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.values import written
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, PermanentError
from nave.core.protocols import Outbound

_REFERENCES = frozenset({"many2one", "one2one"})
_LOOK_UP = 200
_MOST = 10_000
"""Rows that so many texts may be found in; beyond it some count as not found."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A One2Many field."""

    model: str
    on: str
    kinds: Mapping[str, str]
    """The types of its fields that are written."""
    ordered: bool
    """Whether its rows are to stand in the order of the record's, which they can."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a model that records fill, by type, and its families."""

    kinds: Mapping[str, str]
    families: Mapping[str, Relation]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row as it shall be."""

    values: Mapping[str, Any]
    families: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


class Shapes:
    """Makes rows of the records of one sink."""

    def __init__(self, peer: Peer, options: TrytonSinkOptions) -> None:
        self._peer = peer
        self._options = options
        self._found: dict[tuple[str, str, str], int] = {}

    def shape(self, records: Sequence[Outbound]) -> Shape:
        """Types of all fields that the records fill; a ConfigError for one that the model does not have."""
        options = self._options
        names = {options.key, *(name for record in records for name in record.values)} - {"id"}
        kinds = self._kinds(options.model, names)
        many = sorted(name for name, kind in kinds.items() if kind == "one2many")
        families = {}
        for name in many:
            model, on = relation(self._peer, options.model, name)
            inner = {key for record in records for row in record.values.get(name) or () for key in _keys(row)}
            rule = options.children.get(name)
            inner |= {*rule.key, *rule.only} if rule else set()
            ordered = not (rule and rule.key) and PLACE not in inner and is_numbered(self._peer, model)
            families[name] = Relation(model, on, self._kinds(model, inner), ordered)
        return Shape({name: kind for name, kind in kinds.items() if kind != "one2many"}, families)

    def rows(self, shape: Shape, records: Sequence[Outbound]) -> list[Wanted | NaveError]:
        """Each record as a row, or why it cannot be one."""
        self._found.clear()
        self._find(shape, records)
        return [self._row(shape, record.values) for record in records]

    def _row(self, shape: Shape, values: Mapping[str, Any]) -> Wanted | NaveError:
        options = self._options
        try:
            if values.get(options.key) in (None, ""):
                raise PermanentError("NAVE-K409", field=options.key)
            own = {
                name: self._value(options.model, name, kind, values[name])
                for name, kind in shape.kinds.items()
                if name in values
            }
            families = {
                name: [self._child(one, name, row) for row in self._real(name, values[name])]
                for name, one in shape.families.items()
                if name in values
            }
        except NaveError as error:
            return error
        return Wanted(own, families)

    def _real(self, name: str, rows: Sequence[Any] | None) -> list[Any]:
        """Rows that have what the rule says they need."""
        rule = self._options.children.get(name)
        needs = rule.needs if rule else []
        return [
            row
            for row in rows or ()
            if not isinstance(row, Mapping) or all(row.get(need) not in (None, "") for need in needs)
        ]

    def _child(self, one: Relation, name: str, row: Any) -> dict[str, Any]:
        if not isinstance(row, Mapping):
            raise PermanentError("NAVE-K406", field=name, path=name, kind="one2many", value=short(row))
        return {key: self._value(one.model, f"{name}.{key}", one.kinds[key], value) for key, value in row.items()}

    def _value(self, model: str, path: str, kind: str, value: Any) -> Any:
        by = self._options.find.get(path)
        if by is None or value is None or value == "":
            return written(kind, value, path)
        target = self._target(model, path)
        number = self._found.get((target, by, str(value)))
        if number is None:
            raise PermanentError("NAVE-K407", field=by, count="0 / 2+", model=target, value=short(value))
        return number

    def _find(self, shape: Shape, records: Sequence[Outbound]) -> None:
        """Look up all texts that refer to rows, in one call per field and some hundreds of texts."""
        for path, by in self._options.find.items():
            name, _, inner = path.partition(".")
            model = shape.families[name].model if inner and name in shape.families else self._options.model
            if name not in shape.kinds and name not in shape.families:
                continue
            texts = {
                str(value) for record in records for value in _at(record.values, name, inner) if value not in (None, "")
            }
            target = self._target(model, path) if texts else ""
            missing = sorted(text for text in texts if (target, by, text) not in self._found)
            for start in range(0, len(missing), _LOOK_UP):
                self._look_up(target, by, missing[start : start + _LOOK_UP])

    def _look_up(self, target: str, by: str, texts: Sequence[str]) -> None:
        kind = self._kinds(target, {by})[by]
        wanted = [written(kind, text, by) for text in texts]
        rows = self._peer.rows(
            target, [[by, "in", wanted]], [by, "active"] if self._has(target, "active") else [by], limit=_MOST
        )
        held: dict[str, list[int]] = {}
        for row in rows:
            if row.get("active", True):
                held.setdefault(str(row[by]), []).append(row["id"])
        self._found |= {(target, by, text): held[text][0] for text in texts if len(held.get(text, ())) == 1}

    def _has(self, model: str, name: str) -> bool:
        return name in self._peer.fields(model, [name])

    def _target(self, model: str, path: str) -> str:
        name = path.rpartition(".")[2]
        found = self._peer.fields(model, [name]).get(name, {})
        if found.get("type") not in _REFERENCES:
            raise ConfigError("NAVE-K404", what=f"{model}.{name}", reason="no reference to another row")
        return str(found["relation"])

    def _kinds(self, model: str, names: set[str]) -> dict[str, str]:
        known = self._peer.fields(model, sorted(names))
        for name in sorted(names):
            if name not in known:
                raise ConfigError("NAVE-K404", what=f"{model}.{name}", reason="no such field")
        return {name: str(known[name].get("type")) for name in sorted(names)}


def _keys(row: Any) -> set[str]:
    return set(row) if isinstance(row, Mapping) else set()


def _at(values: Mapping[str, Any], name: str, inner: str) -> Iterator[Any]:
    """What stands in a field, or in a field of its rows."""
    if not inner:
        yield values.get(name)
        return
    for row in values.get(name) or ():
        if isinstance(row, Mapping):
            yield row.get(inner)

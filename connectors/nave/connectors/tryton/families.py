"""Pages of a model's rows with their children, as the hub keeps them: one call for the rows, one per kind of children."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from nave.connectors.tryton.marks import changed
from nave.connectors.tryton.options import TrytonSourceOptions
from nave.connectors.tryton.peer import Peer, Row
from nave.connectors.tryton.values import read
from nave.core.errors import ConfigError, RetryableError
from nave.core.protocols import Raw

PLACE = "sequence"
"""The field that orders rows of a parent, where a model has it."""
_MARKS = ("write_date", "create_date")
_CHILDREN = 1_000
_IDS = 10_000
_MOST_CHILDREN = 100_000


class Families:
    """Rows of one model as records: their fields, `id`, lists of children, and `changed`, the latest change of them all."""

    def __init__(self, peer: Peer, options: TrytonSourceOptions) -> None:
        self._peer = peer
        self._options = options

    def page(self, domain: list[Any], behind: int) -> list[Raw]:
        """The next rows by id, at most a batch."""
        options = self._options
        active = [] if options.inactive else [["active", "=", True]]
        wanted = [domain, *active, ["id", ">", behind]]
        parents = self._peer.rows(options.model, wanted, self._names(options.model, options.fields), limit=options.batch)
        records = [self._plain(options.model, one) for one in parents]
        by_id = {int(one["id"]): one for one in records}
        for name, fields in options.children.items():
            model, on = self._relation(name)
            for record in records:
                record[name] = []
            for child in self._children(model, on, fields, list(by_id)):
                family = by_id[parent_of(child[on])]
                family[name].append(child)
                family["changed"] = max(filter(None, (family["changed"], child.pop("changed"))), default=None)
        return records

    def ids(self, domain: list[Any]) -> Iterator[int]:
        """Of all rows, in order."""
        active = [] if self._options.inactive else [["active", "=", True]]
        last = 0
        while True:
            wanted = [domain, *active, ["id", ">", last]]
            rows = self._peer.rows(self._options.model, wanted, ["id"], limit=_IDS)
            yield from (int(one["id"]) for one in rows)
            if len(rows) < _IDS:
                return
            last = int(rows[-1]["id"])

    def latest(self) -> str | None:
        """The latest change of all rows of the model and of its children's; None where there are no rows."""
        models = [self._options.model, *(self._relation(name)[0] for name in self._options.children)]
        found = [self._latest(model, mark) for model in models for mark in _MARKS]
        return max(filter(None, found), default=None)

    def _latest(self, model: str, mark: str) -> str | None:
        rows = self._peer.rows(model, [[mark, "!=", None]], [mark], limit=1, order=[[mark, "DESC"]])
        return str(self._plain(model, rows[0])["changed"]) if rows else None

    def _children(self, model: str, on: str, fields: Sequence[str], parents: list[int]) -> list[Raw]:
        found: list[Raw] = []
        last = 0
        numbered = is_numbered(self._peer, model)
        names = self._names(model, [*fields, on, *([PLACE] if numbered else [])])
        wanted: list[Any] = list(parents)
        if self._peer.fields(model, [on])[on].get("type") == "reference":
            wanted = [f"{self._options.model},{number}" for number in parents]
        while parents:
            rows = self._peer.rows(model, [[on, "in", wanted], ["id", ">", last]], names, limit=_CHILDREN)
            found += [self._plain(model, one) for one in rows]
            if len(rows) < _CHILDREN:
                break
            last = rows[-1]["id"]
            if len(found) >= _MOST_CHILDREN:
                raise ConfigError("NAVE-K404", what=model, reason=f"> {_MOST_CHILDREN} rows")
        if numbered:
            found.sort(key=rank)
            if PLACE not in fields:
                for one in found:
                    del one[PLACE]
        return found

    def _names(self, model: str, fields: Sequence[str]) -> list[str]:
        """What is read: the fields, checked, and the two moments."""
        plain = sorted({name.partition(".")[0] for name in fields} | {*_MARKS})
        known = self._peer.fields(model, plain)
        for name in plain:
            if name not in known:
                raise ConfigError("NAVE-K404", what=f"{model}.{name}", reason="no such field")
        return [*dict.fromkeys([*fields, *_MARKS, "id"])]

    def _relation(self, name: str) -> tuple[str, str]:
        """The model of the children, and their field that names the parent."""
        return relation(self._peer, self._options.model, name)

    def _plain(self, model: str, row: Row) -> Raw:
        known: Mapping[str, Row] = self._peer.fields(model, [name for name in row if not name.endswith(".")])
        try:
            record: Raw = read(row)
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise RetryableError("NAVE-K401", what=model, reason=f"{type(error).__name__}: {error}"[:200]) from error
        for name, field in known.items():
            if field.get("type") == "boolean" and isinstance(record.get(name), int):
                record[name] = bool(record[name])  # some databases have no truth values
        record["changed"] = changed(record)
        for mark in _MARKS:
            record.pop(mark, None)
        return record


def parent_of(value: Any) -> int:
    """The id of a parent: an id, the fields of a row, or a reference such as `sale.sale,5`."""
    if isinstance(value, dict):
        value = value["id"]
    return int(str(value).rpartition(",")[2])


def is_numbered(peer: Peer, model: str) -> bool:
    """Whether its rows stand in an order of their own, as lines and addresses do; all others stand as they were made."""
    return peer.fields(model, [PLACE]).get(PLACE, {}).get("type") == "integer"


def rank(row: Mapping[str, Any]) -> tuple[float, float]:
    """Where a row stands among those of its parent, as Tryton orders them: first what has no number, as it was made."""
    number = row.get(PLACE)
    return (-inf if number is None else number, row.get("id", inf))


def relation(peer: Peer, model: str, name: str) -> tuple[str, str]:
    """Of a One2Many field: the model of the children, and their field that names the parent; NAVE-K404 for another field."""
    field = peer.fields(model, [name]).get(name, {})
    if field.get("type") != "one2many" or not field.get("relation") or not field.get("relation_field"):
        raise ConfigError("NAVE-K404", what=f"{model}.{name}", reason="no One2Many field")
    return str(field["relation"]), str(field["relation_field"])

"""The rows that Tryton holds of the records that are to be written, with their children, in a few calls for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nave.connectors.tryton.families import PLACE, rank
from nave.connectors.tryton.options import TrytonSinkOptions
from nave.connectors.tryton.peer import Peer, Row
from nave.connectors.tryton.shapes import Relation, Shape
from nave.connectors.wording import short
from nave.core.errors import PermanentError
from nave.core.protocols import Outbound

_CHILDREN = 1_000


@dataclass(frozen=True, slots=True)
class Held:
    """Rows by id and by the hub's key, and their children."""

    model: str
    key: str
    by_id: Mapping[int, Row]
    by_key: Mapping[str, Sequence[Row]]
    children: Mapping[str, Mapping[int, Sequence[Row]]]

    def row(self, record: Outbound) -> Row | None:
        """The row of a record: the one that Tryton once named, else the one that has its key.

        NAVE-K408 for one that has gone since, NAVE-K407 where several rows have the key.
        """
        number = _number(record.remote_key)
        if number is not None and number in self.by_id:
            return self.by_id[number]
        value = record.values.get(self.key)
        rows = self.by_key.get(str(value), ()) if value not in (None, "") else ()
        if len(rows) > 1:
            raise PermanentError("NAVE-K407", field=self.key, count=len(rows), model=self.model, value=short(value))
        if rows:
            return rows[0]
        if number is not None and not record.retired:
            raise PermanentError("NAVE-K408", id=number, model=self.model)
        return None

    def families(self, row: Row) -> dict[str, Sequence[Row]]:
        """The children of a row, by field."""
        return {name: family.get(int(row["id"]), ()) for name, family in self.children.items()}


class Standing:
    """Looks up what is there."""

    def __init__(self, peer: Peer, options: TrytonSinkOptions) -> None:
        self._peer = peer
        self._options = options

    def of(self, shape: Shape, records: Sequence[Outbound]) -> Held:
        """What is held of the records, by their remote keys and by the hub's own key."""
        options = self._options
        numbers = sorted({number for one in records if (number := _number(one.remote_key)) is not None})
        keys = sorted({str(one.values[options.key]) for one in records if one.values.get(options.key) not in (None, "")})
        known = self._peer.fields(options.model, ["active", "state"])
        names = [*shape.kinds, options.key, *known, "_timestamp", "id"]
        clauses = [["id", "in", numbers]] if numbers else []
        clauses += [[options.key, "in", keys]] if keys else []
        most = 2 * len(numbers) + 2 * len(keys) + _CHILDREN
        rows = self._peer.rows(options.model, [["OR", *clauses]], [*dict.fromkeys(names)], limit=most) if clauses else []
        by_key: dict[str, list[Row]] = {}
        for row in rows:
            by_key.setdefault(str(row.get(options.key)), []).append(row)
        ids = [row["id"] for row in rows]
        children = {name: self._family(name, one, ids) for name, one in shape.families.items()}
        return Held(options.model, options.key, {row["id"]: row for row in rows}, by_key, children)

    def _family(self, name: str, one: Relation, parents: Sequence[int]) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        last = 0
        rule = self._options.children.get(name)
        active = ["active"] if rule and rule.gone == "deactivate" else []
        numbers = [PLACE] if one.ordered else []
        names = [*dict.fromkeys([*one.kinds, one.on, *active, *numbers, "id"])]
        domain: list[Any] = [[one.on, "in", list(parents)]]
        while parents:
            rows = self._peer.rows(one.model, [*domain, ["id", ">", last]], names, limit=_CHILDREN)
            for row in rows:
                found.setdefault(int(row[one.on]), []).append(row)
            if len(rows) < _CHILDREN:
                break
            last = rows[-1]["id"]
        for family in found.values() if one.ordered else ():
            family.sort(key=rank)
        return found


def _number(remote_key: str | None) -> int | None:
    return int(remote_key) if remote_key is not None and remote_key.isdecimal() else None

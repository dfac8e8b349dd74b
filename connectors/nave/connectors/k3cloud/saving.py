"""The Save call of a record: its Model with number, id and mark, and what K/3 answers to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nave.connectors.k3cloud.errors import failed, garbled, refusal, status_in
from nave.connectors.k3cloud.options import K3SinkOptions
from nave.connectors.wording import short
from nave.core.errors import ConfigError, PermanentError
from nave.core.protocols import Outbound

_LONGEST_NUMBER = 255
_ENTRY = "FEntryID"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record as it is to be saved; `number` is what K/3 knows it by."""

    number: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """What K/3 has under a number."""

    id: int
    status: str
    mark: str
    """Key and version of what was saved last, where the sink keeps a mark."""
    values: Mapping[str, Any]
    """What it has in the fields that the sink compares."""
    entries: Sequence[Mapping[str, Any]] = ()
    """The same of each of its entries, with its id, in their order."""

    @property
    def closed(self) -> bool:
        """In review or audited: nothing of it may be changed."""
        return self.status in ("B", "C")


def wanted(options: K3SinkOptions, record: Outbound) -> Wanted:
    """What a record's values say; a PermanentError where they are no Save call of this form."""
    form, data = record.values.get("formid", options.form), record.values.get("data")
    model = data.get("Model") if isinstance(data, Mapping) else None
    if form != options.form or not isinstance(data, Mapping) or not isinstance(model, Mapping):
        raise PermanentError("NAVE-K415", what=short(record.key), reason=f"{short(form)}: data.Model")
    number = record.remote_key or model.get(options.key)
    if not isinstance(number, str) or not 0 < len(number) <= _LONGEST_NUMBER or not number.isprintable():
        raise PermanentError("NAVE-K415", what=short(record.key), reason=f"{options.key}: {short(number)}")
    held = {**model, options.key: number}
    if options.mark is not None:
        held[options.mark] = record.idempotency_key
    return Wanted(number, {**data, "Model": held})


def body(options: K3SinkOptions, one: Wanted, row: Row | None) -> Mapping[str, Any]:
    """The Save call. Codes that refer are verified unless the mapping says otherwise: K/3 would leave them empty."""
    data = {"IsVerifyBaseDataField": "true", **one.data}
    if options.finish == "audit":
        data["IsAutoSubmitAndAudit"] = "true"
    if row is not None:
        data["Model"] = {options.id: row.id, **one.data["Model"], **_known(options, one, row)}
        if options.update:
            mark = [options.mark] if options.mark else []
            data["NeedUpDateFields"] = [*options.update, *mark]
    return {"formid": options.form, "data": data}


def _entries(options: K3SinkOptions, one: Wanted) -> list[Any]:
    return list(one.data["Model"].get(options.entries) or ()) if options.entries else []


def _known(options: K3SinkOptions, one: Wanted, row: Row) -> Mapping[str, Any]:
    """The entries with the ids that K/3 knows them by, in their order: those are changed; what follows is new, or goes."""
    if options.entries is None:
        return {}
    ids = [entry[options.lines[0]] for entry in row.entries]
    wanted = _entries(options, one)
    known = [{**entry, _ENTRY: at} for entry, at in zip(wanted, ids, strict=False)]
    return {options.entries: [*known, *wanted[len(known) :]]}


def saved(said: Any, number: str) -> None:
    """Raises what K/3 says of a call that was not done; an answer that is about another record tells nothing."""
    status = status_in(said)
    if status is None:
        raise garbled(number, "no ResponseStatus")
    if failed(status):
        raise refusal(status, number)
    entities = status.get("SuccessEntitys")
    named = [one.get("Number") for one in entities if isinstance(one, dict)] if isinstance(entities, list) else []
    if len(named) != 1 or (named[0] and same(str(named[0])) != same(number)):
        raise garbled(number, f"SuccessEntitys {short(named)}")


def unchanged(options: K3SinkOptions, one: Wanted, row: Row) -> bool:
    """Whether K/3 has all that is compared as it is wanted. One whose audit was taken back is to be audited again."""
    if row.status == "D" or not (options.compare or options.lines):
        return False
    wanted = _entries(options, one)
    if options.entries is not None and len(wanted) != len(row.entries):
        return False
    return _alike(options.compare, one.data["Model"], row.values) and all(
        _alike(options.lines[1:], sent, held) for sent, held in zip(wanted, row.entries, strict=False)
    )


def _alike(paths: Sequence[str], sent: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    pairs = [(_found(sent, *path.split(".")), held.get(path)) for path in paths]
    return all(one is _ABSENT or _text(one) == _text(other) for one, other in pairs)


_ABSENT = object()


def _found(model: Mapping[str, Any], name: str, *rest: str) -> Any:
    """The value of a field, also where the Model has it inside a part of the form (SubHeadEntity)."""
    if name in model:
        value = model[name]
        return value if not rest else _found(value, *rest) if isinstance(value, Mapping) else value
    inner = (_found(part, name, *rest) for part in model.values() if isinstance(part, Mapping))
    return next((value for value in inner if value is not _ABSENT), _ABSENT)


def _text(value: object) -> str:
    """K/3 says nothing, null and empty text for the same, 1130.0 for 1130, and a moment for a day."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return f"{Decimal(str(value)).normalize():f}"
    return "" if value is None else str(value).strip().removesuffix("T00:00:00")


def gathered(options: K3SinkOptions, rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The rows of each record: one, or one for each of a bill's entries."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        at = row[options.id]
        if isinstance(at, bool) or not isinstance(at, int):
            raise ConfigError("NAVE-K416", form=options.form, reason=f"{options.id}: {short(at)}")
        found.setdefault(at, []).append(row)
    return list(found.values())


def row_of(options: K3SinkOptions, rows: Sequence[Mapping[str, Any]]) -> Row:
    """A record out of its rows. An entry that a page brought twice, because others moved, counts once."""
    first = rows[0]
    mark = str(first.get(options.mark) or "") if options.mark else ""
    entry = options.lines[0] if options.lines else ""
    entries = {row[entry]: row for row in rows if row.get(entry)} if entry else {}
    return Row(first[options.id], str(first["FDocumentStatus"]), mark, first, list(entries.values()))


def same(number: str) -> str:
    """Equal for numbers that the database under K/3 takes for the same."""
    return number.strip().casefold()


def version_of(mark: str, key: str) -> int | None:
    """The version that a mark tells, if it is about this key."""
    known, _, version = mark.rpartition("-")
    return int(version) if known == key and version.isdecimal() else None

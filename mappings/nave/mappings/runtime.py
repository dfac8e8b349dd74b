"""What compiled mappings do with keys, versions and references, and how they say what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from nave.core.errors import NaveError, PermanentError
from nave.mappings.operations import kind_of, missing, not_an_object
from nave.mappings.problems import shown

LONGEST_KEY = 200
_VERSION_DIGITS = 20


class Mapped(NamedTuple):
    """One record in canonical form, not yet checked against its entity."""

    key: str
    version: str | None
    """Text that sorts as the versions do: UTC to the microsecond, or a number of 20 digits, or the source's own text."""
    changed_at: datetime | None
    values: dict[str, Any]


# --- keys and references -----------------------------------------------------------------------------------------


def key_text(*parts: Any) -> str:
    """The key of a record; several parts are joined by `/`. Raises M112 where there is none."""
    first = parts[0]
    if type(first) is str and len(parts) == 1 and 0 < len(first) <= LONGEST_KEY:
        return str(first)
    texts = [_key_part(part) for part in parts]
    key = "/".join(texts)
    if not all(texts) or len(key) > LONGEST_KEY:
        raise PermanentError("NAVE-M112", value=shown(key), most=LONGEST_KEY)
    return key


def _key_part(value: Any) -> str:
    if type(value) is str:
        return str(value)
    if value is None:
        return ""
    if type(value) is int:
        return str(value) if value.bit_length() < LONGEST_KEY else "-" * (LONGEST_KEY + 1)
    if type(value) is Decimal and _is_whole(value):
        return str(int(value))
    if isinstance(value, date):
        return value.isoformat()
    raise PermanentError("NAVE-M119", by="key", value=shown(value), kind=kind_of(value))


def _is_whole(value: Decimal) -> bool:
    return value.is_finite() and value == value.to_integral_value() and abs(value.adjusted()) < LONGEST_KEY


def reference_to(system: str) -> Callable[..., Any]:
    """A function from a key (or its parts) to a reference into `system`; no key gives no reference."""

    def reference(*parts: Any) -> dict[str, str] | None:
        value = parts[0]
        if len(parts) == 1 and type(value) is str and len(value) <= LONGEST_KEY:
            return {"system": system, "key": value} if value else None
        if len(parts) == 1 and type(value) is dict and value.keys() == {"system", "key"}:
            return value
        if all(part is None or part == "" for part in parts):
            return None
        return {"system": system, "key": key_text(*parts)}

    return reference


# --- versions ----------------------------------------------------------------------------------------------------


def version_of(value: Any) -> tuple[str | None, datetime | None]:
    """The sortable text of a version, and the moment if it is one; None and empty text are no version."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        text = datetime.combine(moment, moment.time()).isoformat()  # a third of the time of an aware isoformat
        return f"{text}Z" if moment.microsecond else f"{text}.000000Z", moment
    if type(value) is int and 0 <= value < 10**_VERSION_DIGITS:
        return f"{value:0{_VERSION_DIGITS}d}", None
    if type(value) is str and len(value) <= LONGEST_KEY:
        return value or None, None
    if value is None:
        return None, None
    if isinstance(value, date):
        return value.isoformat(), None
    return _bad_version(value), None


def _bad_version(value: Any) -> str:
    raise PermanentError("NAVE-M113", value=shown(value), kind=kind_of(value))


def moment_of(value: Any) -> datetime | None:
    """A moment of change, in UTC."""
    if value is None or (isinstance(value, datetime) and value.tzinfo):
        return value.astimezone(UTC) if value else None
    raise PermanentError("NAVE-M113", value=shown(value), kind=kind_of(value))


# --- failures ----------------------------------------------------------------------------------------------------

Step = str | int


@dataclass(frozen=True, slots=True)
class Place:
    """A target field, and the ways that its expressions needed: (depth of the scope, steps)."""

    name: str
    paths: Sequence[tuple[int, tuple[Step, ...]]]


def failed(error: Exception, place: Place, scopes: Sequence[Any], positions: Sequence[int]) -> NaveError:
    """The error of one field: as it was raised, or explained from the paths that could not be followed."""
    explained = error if isinstance(error, NaveError) else _broken_path(error, place, scopes)
    if explained is None:
        explained = PermanentError("NAVE-M100", kind=type(error).__name__)
        explained.__cause__ = error
    if explained.field is None:
        explained.field = _numbered(place.name, positions)
    return explained.with_traceback(None)  # it would keep the whole batch in memory


def _numbered(name: str, positions: Sequence[int]) -> str:
    """`lines[].product` with the items' numbers, counted from 0 as in JSON pointers."""
    for position in positions:
        name = name.replace("[]", f"[{position - 1}]", 1)
    return name


def _broken_path(error: Exception, place: Place, scopes: Sequence[Any]) -> NaveError | None:
    sought = error.args[0] if isinstance(error, KeyError) and error.args else None
    found = [_unresolved(scopes[depth], steps) for depth, steps in place.paths if depth < len(scopes)]
    broken = [entry for entry in found if entry]
    exact = [explained for step, explained in broken if step == sought]
    return next(iter(exact or [explained for _step, explained in broken]), None)


def _unresolved(value: Any, steps: tuple[Step, ...]) -> tuple[Step, NaveError] | None:
    """The first step that cannot be taken, and why."""
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
        if isinstance(step, int):
            values = value if type(value) is list else [value]
            if not -len(values) <= step < len(values):
                return step, PermanentError("NAVE-M101", name=shown(path), near=f"0..{len(values) - 1}")
            value = values[step]
        elif type(value) is not dict:
            return step, not_an_object(path, value)
        elif step not in value:
            return step, missing(path, step, value)
        else:
            value = value[step]
    return None

"""How far a model has been read: the latest change, the row behind which an unfinished read goes on, and what was told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nave.connectors.wording import short
from nave.core.errors import ConfigError
from nave.core.protocols import Raw

MOST_TOLD = 5_000
"""Rows whose content is remembered for the overlap; of a larger one all rows are landed again, which changes nothing."""


@dataclass(frozen=True, slots=True)
class Position:
    """`at` is a moment as `values.read` gives it: everything that changed before it has been landed."""

    at: str | None = None
    behind: int = 0
    """In the middle of a read: the highest id that was landed."""
    ahead: str | None = None
    """In the middle of a read: what `at` will be when it is through."""
    told: Mapping[str, str] = field(default_factory=dict)
    """By id, a digest of rows that the next read will see again."""
    held: str = ""
    """With `deletions`: which rows are known to be there (`held.Held`)."""
    looked: str | None = None
    """With `deletions`: when it was last asked which rows are there."""

    def text(self) -> str:
        """As stored in the checkpoint."""
        said = {name: value for name, value in asdict(self).items() if value or name not in ("held", "looked")}
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | None) -> Position:
        """From the checkpoint; a ConfigError if this is no position of a Tryton source."""
        if text is None:
            return cls()
        try:
            position = cls(**json.loads(text))
            for moment in (position.at, position.ahead, position.looked):
                if moment is not None:
                    datetime.fromisoformat(moment)
            if not isinstance(position.behind, int) or not isinstance(position.told, dict):
                raise TypeError
            if not isinstance(position.held, str):
                raise TypeError
        except (ValueError, TypeError) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error
        return position


def back(at: str, overlap: timedelta) -> datetime:
    """Where to look from: `overlap` before the latest change."""
    return datetime.fromisoformat(at) - overlap


def not_ahead(at: str | None, now: datetime | None = None) -> str | None:
    """A moment that is not more than a day ahead of this machine's clock: a wrong clock at the server must hide nothing."""
    if at is None:
        return None
    limit = (now or datetime.now(UTC)) + timedelta(days=1)
    return at if datetime.fromisoformat(at) <= limit else None


def changed(row: Mapping[str, Any]) -> str | None:
    """When a row last changed; Tryton leaves `write_date` of some models empty until the first change."""
    moments = [row[name] for name in ("write_date", "create_date") if isinstance(row.get(name), str)]
    return max(moments, default=None)


def digest(record: Raw) -> str:
    """Differs where what was read of a record differs."""
    text = json.dumps(record, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

"""How far a form has been read: the latest change, and the id behind which an unfinished read goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from nave.connectors.wording import short
from nave.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Position:
    """`at` is a moment as K/3 writes it: everything that changed before it has been landed."""

    at: str | None = None
    behind: int = 0
    """In the middle of a read: the highest id that was landed."""
    ahead: str | None = None
    """In the middle of a read: what `at` will be when it is through."""

    def text(self) -> str:
        """As stored in the checkpoint."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | None) -> Position:
        """From the checkpoint; a ConfigError if this is no position of such a source."""
        if text is None:
            return cls()
        try:
            position = cls(**json.loads(text))
            for moment in (position.at, position.ahead):
                if moment is not None:
                    datetime.fromisoformat(moment)
            if not isinstance(position.behind, int):
                raise TypeError
        except (ValueError, TypeError) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error
        return position


def written(moment: datetime) -> str:
    """A moment as a query takes it, in whole seconds rounded down."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def back(at: str, overlap: timedelta) -> str:
    """Where to look from: `overlap` before the latest change."""
    return written(datetime.fromisoformat(at) - overlap)

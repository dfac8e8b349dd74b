"""How far a file has been read, as the text that is committed with each batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, PermanentError


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file is refused, and the name it gets; kept so that a crash behind the commit can repeat the rest."""

    name: str
    code: str
    params: Mapping[str, Any]
    member: str = ""
    """Which part of the input is at fault: a member of an archive, or the line file."""

    @classmethod
    def of(cls, name: str, error: NaveError, member: str = "") -> Refusal:
        """Of an error, with its values as they can be stored."""
        kept = {key: value if isinstance(value, int | None) else short(value, 200) for key, value in error.params.items()}
        return cls(name, error.code, kept, member)

    def error(self) -> PermanentError:
        """The error again."""
        return PermanentError(self.code, **self.params)


@dataclass(frozen=True, slots=True)
class Position:
    """`records` rows of the claimed `file` are landed; `done` once nothing is left but to put it away."""

    file: str
    records: int
    sha256: str
    done: bool = False
    refused: Refusal | None = None

    def text(self) -> str:
        """As stored in the checkpoint."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """From the checkpoint; a ConfigError if this is no position of a folder."""
        if text is None:
            return None
        try:
            fields = json.loads(text)
            refused = fields.pop("refused", None)
            return cls(**fields, refused=Refusal(**refused) if refused else None)
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error

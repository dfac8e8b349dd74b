"""How far a folder has been read, as the text that is committed with each batch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from nave.connectors.wording import short
from nave.core.errors import ConfigError

MESSAGE = -1
"""In place of the number of an attachment: the whole message was refused."""


@dataclass(frozen=True, slots=True)
class Position:
    """Messages before `uid` are done with; of it, attachments before number `part`, and `records` rows of that one."""

    validity: int
    uid: int
    part: int
    records: int = 0
    sha256: str = ""
    message: str = ""
    """The Message-ID."""
    whole: bool = False
    """Whether the attachment is done with, too."""
    bad: bool = False
    """Whether something of the message was refused."""

    def text(self) -> str:
        """As stored in the checkpoint."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    def is_behind(self, part: int) -> bool:
        """Whether an attachment of the same message is done with."""
        return self.part == MESSAGE or part < self.part or (part == self.part and self.whole)

    @classmethod
    def parse(cls, text: str | None) -> Position | None:
        """From the checkpoint; a ConfigError if this is no position of a mail folder."""
        if text is None:
            return None
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise ConfigError("NAVE-S003", position=short(text)) from error

"""What a folder has been given: which version of which record, and which file is about to appear.

Whoever takes the files may remove them at once, so the folder itself cannot tell. The ledger can: an intent is
committed before the file appears, and as long as the temporary file is there, it has not appeared yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nave.connectors.sent import Sent
from nave.core.protocols import Outbound

_SCHEMA = "create table if not exists intent (seq integer primary key autoincrement, temporary text, name text);"


@dataclass(frozen=True, slots=True)
class Intent:
    """A file that will appear under `name` for sure, and is written whole as `temporary`."""

    seq: int
    temporary: str
    name: str


class Ledger(Sent):
    """One SQLite file per sink, in the folder it writes to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA)

    def next_seq(self) -> int:
        """The number that the next intent will get."""
        row = self._database.execute("select seq from sqlite_sequence where name = 'intent'").fetchone()
        return int(row[0]) + 1 if row else 1

    def intend(self, intent: Intent, records: Iterable[Outbound]) -> None:
        """Commit that the file will appear, and what is in it."""
        with self._sending(sorted((record.key, record.version) for record in records)) as cursor:
            cursor.execute("insert into intent values (?, ?, ?)", (intent.seq, intent.temporary, intent.name))

    def intents(self) -> list[Intent]:
        """Files that may not have appeared yet."""
        rows = self._database.execute("select seq, temporary, name from intent where temporary is not null order by seq")
        return [Intent(*row) for row in rows]

    def forget(self, intent: Intent) -> None:
        """The file has appeared."""
        self._database.execute("delete from intent where seq = ?", (intent.seq,))

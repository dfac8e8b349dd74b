"""What a folder has been given: which version of which record, and which file is about to appear.

Whoever takes the files may remove them at once, so the folder itself cannot tell. The ledger can: an intent is
committed before the file appears, and as long as the temporary file is there, it has not appeared yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nave.core.protocols import Outbound

_SCHEMA = """
create table if not exists sent (key text primary key, version integer not null) without rowid;
create table if not exists intent (seq integer primary key autoincrement, temporary text, name text);
"""


@dataclass(frozen=True, slots=True)
class Intent:
    """A file that will appear under `name` for sure, and is written whole as `temporary`."""

    seq: int
    temporary: str
    name: str


class Ledger:
    """One SQLite file per sink, in the folder it writes to."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("pragma synchronous=full")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def versions(self, keys: Sequence[str]) -> dict[str, int]:
        """The highest version sent of each of the keys that were sent at all."""
        found: dict[str, int] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            found |= dict(self._database.execute(f"select key, version from sent where key in ({marks})", part))
        return found

    def next_seq(self) -> int:
        """The number that the next intent will get."""
        row = self._database.execute("select seq from sqlite_sequence where name = 'intent'").fetchone()
        return int(row[0]) + 1 if row else 1

    def intend(self, intent: Intent, records: Iterable[Outbound]) -> None:
        """Commit that the file will appear, and what is in it."""
        sent = sorted((record.key, record.version) for record in records)
        with closing(self._database.cursor()) as cursor:
            cursor.execute("begin immediate")
            try:
                cursor.execute("insert into intent values (?, ?, ?)", (intent.seq, intent.temporary, intent.name))
                cursor.executemany(
                    "insert into sent values (?, ?) on conflict do update set version = excluded.version"
                    " where excluded.version > version",
                    sent,
                )
            except BaseException:
                cursor.execute("rollback")
                raise
            cursor.execute("commit")

    def intents(self) -> list[Intent]:
        """Files that may not have appeared yet."""
        rows = self._database.execute("select seq, temporary, name from intent where temporary is not null order by seq")
        return [Intent(*row) for row in rows]

    def forget(self, intent: Intent) -> None:
        """The file has appeared."""
        self._database.execute("delete from intent where seq = ?", (intent.seq,))

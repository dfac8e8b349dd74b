"""What a source remembers besides its checkpoint: attachments that are landed, and messages that were left alone.

Without it, nothing is lost: a mail that comes a second time is read a second time, and what was left is named again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

_SCHEMA = """
create table if not exists landed (message text, sha256 text, primary key (message, sha256)) without rowid;
create table if not exists passed (one integer primary key check (one = 1), validity integer, uid integer);
"""


class Memory:
    """One SQLite file per source."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def land(self, message: str, sha256: str) -> None:
        """Remember an attachment whose rows are committed; one of a message without a Message-ID is nobody's repeat."""
        if message:
            self._database.execute("insert or ignore into landed values (?, ?)", (message, sha256))

    def is_landed(self, message: str, sha256: str) -> bool:
        """Whether the same attachment of the same message came before."""
        row = self._database.execute("select 1 from landed where message = ? and sha256 = ?", (message, sha256))
        return row.fetchone() is not None

    def pass_by(self, validity: int, uid: int) -> None:
        """Remember that nothing is left to do up to this message."""
        self._database.execute(
            "insert into passed values (1, ?, ?) on conflict do update set validity = excluded.validity, uid = excluded.uid",
            (validity, uid),
        )

    def passed(self, validity: int) -> int:
        """The last message that is done with or left alone; 0 if there is none."""
        row = self._database.execute("select uid from passed where validity = ?", (validity,)).fetchone()
        return int(row[0]) if row else 0

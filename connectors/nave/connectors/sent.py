"""Which version of which record a sink has sent, where the target itself cannot tell: one SQLite file per sink.

A sink adds a table of its own: what is on its way, and not known to have arrived.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

_SCHEMA = "create table if not exists sent (key text primary key, version integer not null) without rowid;"
_AT_ONCE = 500
"""Keys of one query, well below what SQLite allows."""


class Sent:
    """What was sent, on the disk before anything else is done; `schema` makes the sink's own tables."""

    def __init__(self, path: Path, schema: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("pragma synchronous=full")
        self._database.executescript(_SCHEMA + schema)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def versions(self, keys: Sequence[str]) -> dict[str, int]:
        """The highest version sent of each of the keys that were sent at all."""
        found: dict[str, int] = {}
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(part))
            found |= dict(self._database.execute(f"select key, version from sent where key in ({marks})", part))
        return found

    @contextmanager
    def _sending(self, records: Iterable[tuple[str, int]]) -> Iterator[sqlite3.Cursor]:
        """Commit keys and versions together with what is done by the cursor, or none of it; no version goes down."""
        with closing(self._database.cursor()) as cursor:
            cursor.execute("begin immediate")
            try:
                yield cursor
                cursor.executemany(
                    "insert into sent values (?, ?) on conflict do update set version = excluded.version"
                    " where excluded.version > version",
                    records,
                )
            except BaseException:
                cursor.execute("rollback")
                raise
            cursor.execute("commit")

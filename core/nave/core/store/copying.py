"""A copy of an SQLite store that a hub works on: whole, as of one moment, and on the disk when the call returns."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from nave.core.errors import PermanentError, RetryableError


def copy_store(source: Path, target: Path) -> int:
    """Copy the store at `source` to a new file; its size in bytes. Writers go on meanwhile.

    RetryableError when the store cannot be read, PermanentError when the copy is not sound: then there is none.
    """
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        answer = _copied(source, part)
    except sqlite3.OperationalError as error:
        part.unlink(missing_ok=True)
        raise RetryableError("NAVE-E001", reason=str(error)) from error
    if answer != "ok":
        part.unlink()
        raise PermanentError("NAVE-E224", reason=answer[:200])
    _to_disk(part)
    part.rename(target)
    _to_disk(target.parent)
    return target.stat().st_size


def _copied(source: Path, part: Path) -> str:
    """Copy all pages in one read transaction, and look through the copy."""
    # Read-only: a second connection that checkpoints could corrupt the file before SQLite 3.51.3.
    with (
        closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(part)) as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        return str(copy.execute("PRAGMA integrity_check").fetchone()[0])


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

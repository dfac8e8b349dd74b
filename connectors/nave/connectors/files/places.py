"""Where a connection's folder is, and names that are safe to keep."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nave.connectors.files.errors import translating
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.room import Room
from nave.core.errors import ConfigError
from nave.core.protocols import Setting

_LONGEST = 160
_UNWANTED = frozenset('<>:"/\\|?*')


def folder(connection: FilesOptions, setting: Setting) -> Path:
    """The folder's path: `./drop` starts at the hub's folder, `/srv/drop` and `file:///srv/drop` stand alone."""
    text = connection.url
    parts = urlsplit(text)
    if parts.scheme == "file":
        text = unquote(parts.path)
    elif "://" in text:
        raise ConfigError("NAVE-S010", url=text)
    return setting.folder / text


def opened(connection: FilesOptions, setting: Setting) -> Room:
    """Open the folder. Only one inside the hub's folder is made: a missing absolute one may be an unmounted disk."""
    path = folder(connection, setting)
    with translating(path):
        if not Path(connection.url).is_absolute() and not connection.url.startswith("file:"):
            path.mkdir(parents=True, exist_ok=True)
        return Room.at(path)


def watched(connection: FilesOptions, options: FilesSourceOptions, setting: Setting) -> Path:
    """The folder to watch."""
    return folder(connection, setting)


def check(connection: FilesOptions, setting: Setting) -> None:
    """See that the folder can be listed and written to."""
    path = folder(connection, setting)
    room = opened(connection, setting)
    try:
        with translating(path):
            room.names()
            if not os.access(path, os.W_OK):
                raise PermissionError(13, "not writable", str(path))
    finally:
        room.close()


def safe_name(name: str) -> str:
    """The name as the hub keeps it: itself where it is harmless, else with `_` and a hash for what is not."""
    kept = "".join(c if c.isprintable() and c not in _UNWANTED else "_" for c in name).lstrip(".-~ ")
    raw = os.fsencode(name)
    if kept and kept == name and len(raw) <= _LONGEST:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:8]
    stem, dot, suffix = kept.rpartition(".")
    if not dot or len(suffix.encode("utf-8", "replace")) > 8:
        stem, suffix = kept, ""
    short = stem.encode("utf-8", "replace")[: _LONGEST - 20].decode("utf-8", "ignore")
    return f"{short or 'file'}-{digest}{dot if suffix else ''}{suffix}"

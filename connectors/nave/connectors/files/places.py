"""Where a connection's folder is."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nave.connectors.dropped.errors import translating
from nave.connectors.dropped.room import Room
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.core.errors import ConfigError
from nave.core.protocols import Setting


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

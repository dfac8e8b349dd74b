"""What the conformance kit is told of file servers: folders of its own on a real one, reached through the proxy."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from nave.connectors.conformance import LISTED, At, SinkWay, SourceWay

_PREFIX = "nave-conform-"
_CSV = {"type": "csv"}
_ROWS = 3


class Disk(Protocol):
    """A server as a client of somebody else's sees it, past the proxy; paths are those of the url."""

    def make(self, folder: str) -> None:
        """Make a folder."""

    def put(self, path: str, content: bytes) -> None:
        """Write a file."""

    def names(self, folder: str) -> Sequence[str]:
        """What is in a folder."""

    def get(self, path: str) -> bytes:
        """A file."""

    def clear(self, folder: str) -> None:
        """Remove a folder with all in it."""


class Drops:
    """One folder of a server; it is looked at by one thread at a time."""

    def __init__(self, config: Mapping[str, Any], port: int, disk: Disk) -> None:
        parts = urlsplit(str(config["url"]))
        self.host, self.port = str(parts.hostname), parts.port or port
        self._scheme, self._folder = parts.scheme, unquote(parts.path).rstrip("/")
        self._login = {name: value for name, value in config.items() if name != "url"}
        self._disk, self._lock = disk, Lock()

    @property
    def ways(self) -> Sequence[SinkWay | SourceWay]:
        """Files out, and files in."""
        return (
            SinkWay(
                "files",
                {"en": "Sink, one file per batch", "zh": "去向：每批一个文件"},
                self._connection,
                lambda at: {"name": "records_{seq}.csv", "format": _CSV},
            ),
            SourceWay(
                "drop",
                {"en": "Source, a drop folder", "zh": "来源：投递文件夹"},
                self._connection,
                lambda at: {"pattern": "*.csv", "format": _CSV, "ready": {"marker": ".ok"}, "batch": 2},
                begins=0,
                again=True,
            ),
        )

    def _connection(self, at: At) -> Mapping[str, Any]:
        url = f"{self._scheme}://{at.host}:{at.port}{self._path(at.name)}"
        return {**self._login, "url": url, "timeout": f"{at.seconds}s"}

    def _path(self, name: str) -> str:
        return f"{self._folder}/{_PREFIX}{name}"

    def begin(self, name: str) -> None:
        """A folder, with files in it if it is to be read."""
        with self._lock:
            self._disk.make(self._path(name))
            for first in range(0, len(LISTED), _ROWS) if name.startswith("drop") else ():
                rows = LISTED[first : first + _ROWS]
                text = "code,name\n" + "".join(f"{row['code']},{row['name']}\n" for row in rows)
                for end, content in (("", text), (".ok", "")):
                    self._disk.put(f"{self._path(name)}/drop_{first}.csv{end}", content.encode())

    def effects(self, name: str) -> Mapping[str, int]:
        """Rows by code, of all files."""
        codes: Counter[str] = Counter()
        with self._lock:
            for file in self._disk.names(self._path(name)):
                if file.endswith(".csv"):
                    text = self._disk.get(f"{self._path(name)}/{file}").decode("utf-8-sig")
                    codes.update(row["code"] for row in csv.DictReader(io.StringIO(text)))
        return codes

    def end(self, name: str) -> None:
        """Remove the folder and all in it."""
        with self._lock:
            self._disk.clear(self._path(name))

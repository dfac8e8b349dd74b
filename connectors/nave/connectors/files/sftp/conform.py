"""What the conformance kit is told of `sftp`: folders of its own on a real server, reached through the proxy."""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

import paramiko

from nave.connectors.conformance import LISTED, At, SinkWay, SourceWay, StreamConformance, World
from nave.connectors.files.sftp import SPEC

_PREFIX = "nave-conform-"
_CSV = {"type": "csv"}
_ROWS = 3


class _Server:
    """One folder of a server; it is looked at past the proxy, by one thread at a time."""

    def __init__(self, config: Mapping[str, Any], sftp: paramiko.SFTPClient) -> None:
        parts = urlsplit(str(config["url"]))
        self.host, self.port = str(parts.hostname), parts.port or 22
        self._config, self._sftp, self._lock = config, sftp, Lock()
        self._folder = unquote(parts.path).rstrip("/")

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
        kept = {name: value for name, value in self._config.items() if name != "url"}
        return {**kept, "url": f"sftp://{at.host}:{at.port}{self._path(at.name)}", "timeout": f"{at.seconds}s"}

    def _path(self, name: str) -> str:
        return f"{self._folder}/{_PREFIX}{name}"

    def begin(self, name: str) -> None:
        """A folder, with files in it if it is to be read."""
        with self._lock:
            self._sftp.mkdir(self._path(name))
            for first in range(0, len(LISTED), _ROWS) if name.startswith("drop") else ():
                rows = LISTED[first : first + _ROWS]
                text = "code,name\n" + "".join(f"{row['code']},{row['name']}\n" for row in rows)
                for end, content in (("", text), (".ok", "")):
                    self._sftp.putfo(io.BytesIO(content.encode()), f"{self._path(name)}/drop_{first}.csv{end}")

    def effects(self, name: str) -> Mapping[str, int]:
        """Rows by code, of all files."""
        codes: Counter[str] = Counter()
        with self._lock:
            for file in self._sftp.listdir(self._path(name)):
                if file.endswith(".csv"):
                    with self._sftp.open(f"{self._path(name)}/{file}") as stream:
                        codes.update(row["code"] for row in csv.DictReader(io.StringIO(stream.read().decode("utf-8-sig"))))
        return codes

    def end(self, name: str) -> None:
        """Remove the folder and all in it."""
        with self._lock:
            self._remove(self._path(name))

    def _remove(self, path: str) -> None:
        for one in self._sftp.listdir_attr(path):
            below = f"{path}/{one.filename}"
            if (one.st_mode or 0) & 0o040000:
                self._remove(below)
            else:
                with suppress(FileNotFoundError):
                    self._sftp.remove(below)
        self._sftp.rmdir(path)


@contextmanager
def _world(config: Mapping[str, Any]) -> Iterator[World]:
    parts = urlsplit(str(config["url"]))
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it would print what the connector reports
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(_Anybody())
    login: dict[str, Any] = {
        "password": config.get("password"),
        "key_filename": config.get("key"),
        "passphrase": config.get("passphrase"),
    }
    client.connect(
        str(parts.hostname),
        parts.port or 22,
        str(config["user"]),
        allow_agent=False,
        look_for_keys=False,
        timeout=30,
        **login,
    )
    try:
        yield _Server(config, client.open_sftp())
    finally:
        client.close()


class _Anybody(paramiko.MissingHostKeyPolicy):
    """The kit looks past the proxy at a test server; what is tried, the connector, checks the key as ever."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Go on."""


CONFORMANCE = StreamConformance(
    SPEC,
    _world,
    {
        "url": "sftp://host/folder, where folders may be made",
        "user": "who logs in",
        "host_key": "the server's fingerprint",
    },
)

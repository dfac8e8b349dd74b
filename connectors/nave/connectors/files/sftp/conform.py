"""What the conformance kit is told of `sftp`: where a server is, and how to see what it holds."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import paramiko

from nave.connectors.conformance import StreamConformance, World
from nave.connectors.files.kit import Drops
from nave.connectors.files.sftp import SPEC

_PORT = 22


class _Disk:
    """By paramiko."""

    def __init__(self, sftp: paramiko.SFTPClient) -> None:
        self._sftp = sftp

    def make(self, folder: str) -> None:
        """Make a folder."""
        self._sftp.mkdir(folder)

    def put(self, path: str, content: bytes) -> None:
        """Write a file."""
        self._sftp.putfo(io.BytesIO(content), path)

    def names(self, folder: str) -> Sequence[str]:
        """What is in a folder."""
        return self._sftp.listdir(folder)

    def get(self, path: str) -> bytes:
        """A file."""
        with self._sftp.open(path) as stream:
            return stream.read()

    def clear(self, folder: str) -> None:
        """Remove a folder with all in it."""
        for one in self._sftp.listdir_attr(folder):
            below = f"{folder}/{one.filename}"
            if (one.st_mode or 0) & 0o040000:
                self.clear(below)
            else:
                with suppress(FileNotFoundError):
                    self._sftp.remove(below)
        self._sftp.rmdir(folder)


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
        parts.port or _PORT,
        str(config["user"]),
        allow_agent=False,
        look_for_keys=False,
        timeout=30,
        **login,
    )
    try:
        yield Drops(config, _PORT, _Disk(client.open_sftp()))
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
    limit=120.0,
)

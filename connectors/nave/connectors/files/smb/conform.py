"""What the conformance kit is told of `smb`: where a share is, and how to see what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import smbclient  # type: ignore[import-untyped]

from nave.connectors.conformance import StreamConformance, World
from nave.connectors.files.kit import Drops
from nave.connectors.files.smb import SPEC
from nave.connectors.files.smb.options import SmbOptions


class _Disk:
    """By smbclient, with connections of its own."""

    def __init__(self, options: SmbOptions) -> None:
        self._host = options.host
        self._said: dict[str, Any] = {
            "username": options.user,
            "password": options.password.get_secret_value(),
            "port": options.port,
            "connection_cache": {},
        }

    def _at(self, path: str) -> str:
        return rf"\\{self._host}" + path.replace("/", "\\")

    def make(self, folder: str) -> None:
        """Make a folder."""
        smbclient.mkdir(self._at(folder), **self._said)

    def put(self, path: str, content: bytes) -> None:
        """Write a file."""
        with smbclient.open_file(self._at(path), mode="wb", **self._said) as file:
            file.write(content)

    def names(self, folder: str) -> Sequence[str]:
        """What is in a folder."""
        found: list[str] = smbclient.listdir(self._at(folder), **self._said)
        return found

    def get(self, path: str) -> bytes:
        """A file."""
        with smbclient.open_file(self._at(path), mode="rb", share_access="rwd", **self._said) as file:
            return bytes(file.read())

    def clear(self, folder: str) -> None:
        """Remove a folder with all in it."""
        for one in list(smbclient.scandir(self._at(folder), **self._said)):
            below = f"{folder}/{one.name}"
            if one.is_dir():
                self.clear(below)
            else:
                smbclient.remove(self._at(below), **self._said)
        smbclient.rmdir(self._at(folder), **self._said)

    def close(self) -> None:
        """Hang up."""
        smbclient.reset_connection_cache(fail_on_error=False, connection_cache=self._said["connection_cache"])


@contextmanager
def _world(config: Mapping[str, Any]) -> Iterator[World]:
    disk = _Disk(SmbOptions.model_validate(config))
    try:
        yield Drops(config, SmbOptions.PORT, disk)
    finally:
        disk.close()


CONFORMANCE = StreamConformance(
    SPEC,
    _world,
    {
        "url": "smb://host/share/folder, where folders may be made",
        "user": "who logs in",
        "password": "the user's",
    },
    limit=120.0,
)

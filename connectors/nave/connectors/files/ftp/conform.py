"""What the conformance kit is told of `ftp`: where a server is, and how to see what it holds.

The proxy stands in the control connection. Files and lists go over connections of their own, straight to the server.
"""

from __future__ import annotations

import ftplib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nave.connectors.conformance import StreamConformance, World
from nave.connectors.files.ftp import SPEC
from nave.connectors.files.ftp.link import Link, logged_in
from nave.connectors.files.ftp.options import FtpOptions
from nave.connectors.files.kit import Drops


class _Disk:
    """By ftplib's own commands, over a connection that is opened anew each time: servers hang up on who is idle."""

    def __init__(self, config: Mapping[str, Any], folder: Path) -> None:
        self._options, self._folder = FtpOptions.model_validate(config), folder

    @contextmanager
    def _link(self) -> Iterator[Link]:
        with closing(logged_in(self._options, self._folder, anew=True)) as link:
            yield link

    def make(self, folder: str) -> None:
        """Make a folder."""
        with self._link() as link:
            link.mkd(folder)

    def put(self, path: str, content: bytes) -> None:
        """Write a file."""
        with self._link() as link:
            link.storbinary(f"STOR {path}", io.BytesIO(content))

    def names(self, folder: str) -> Sequence[str]:
        """What is in a folder; of hidden ones only what a list shows."""
        with self._link() as link:
            return _names(link, folder)

    def get(self, path: str) -> bytes:
        """A file."""
        pieces: list[bytes] = []
        with self._link() as link:
            link.retrbinary(f"RETR {path}", pieces.append)
        return b"".join(pieces)

    def clear(self, folder: str) -> None:
        """Remove a folder with all in it."""
        with self._link() as link:
            _clear(link, folder)


def _names(link: Link, folder: str) -> list[str]:
    try:
        found = link.nlst(f"-a {folder}")
    except ftplib.error_perm:
        found = []
    found = found or link.nlst(folder)
    return sorted({name.rpartition("/")[2] for name in found} - {".", ".."})


def _clear(link: Link, folder: str) -> None:
    for name in {*_names(link, folder), ".nave"}:
        below = f"{folder}/{name}"
        with suppress(ftplib.error_perm):
            if _is_folder(link, below):
                _clear(link, below)
            else:
                link.delete(below)
    link.rmd(folder)


def _is_folder(link: Link, path: str) -> bool:
    try:
        link.cwd(path)
    except ftplib.error_perm:
        return False
    link.cwd("/")
    return True


@contextmanager
def _world(config: Mapping[str, Any]) -> Iterator[World]:
    with TemporaryDirectory(prefix="nave-conform-") as folder:
        yield Drops(config, FtpOptions.PORT, _Disk(config, Path(folder)))


CONFORMANCE = StreamConformance(
    SPEC,
    _world,
    {
        "url": "ftp://host/folder, where folders may be made",
        "user": "who logs in",
        "password": "the user's",
    },
    limit=120.0,
)

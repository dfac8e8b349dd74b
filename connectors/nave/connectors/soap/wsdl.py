"""Reads a WSDL from the hub's folder and from nowhere else, and holds it against its hash.

zeep by itself follows imports to any host, with the service's password; here every document comes through one function
that opens files below one folder, and notes what it opened.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

from zeep import Client, Settings

from nave.connectors.soap.errors import describing
from nave.connectors.soap.options import Wsdl
from nave.connectors.wording import short
from nave.core.errors import ConfigError

_MOST_BYTES = 16 * 2**20
_MOST_FILES = 200


class Pinned:
    """What zeep loads documents with: files below one folder, each read once, and no network at all."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._folder = file.parent.resolve()
        self.read: dict[str, bytes] = {}
        """What was read, by its path below the folder."""

    def load(self, url: str) -> bytes:
        """One document; a ConfigError for whatever is not a file below the folder."""
        path = Path(url).resolve()
        if urlsplit(url).scheme or not path.is_relative_to(self._folder):
            raise ConfigError("NAVE-K222", file=str(self._file), location=short(url, 200))
        name = path.relative_to(self._folder).as_posix()
        if name not in self.read:
            self.read[name] = self._content(path, name)
        return self.read[name]

    def _content(self, path: Path, name: str) -> bytes:
        try:
            with path.open("rb") as stream:
                content = stream.read(_MOST_BYTES + 1)
        except OSError as error:
            raise ConfigError("NAVE-K220", file=name, reason=str(error.strerror or error)) from error
        if len(content) > _MOST_BYTES or len(self.read) >= _MOST_FILES:
            raise ConfigError("NAVE-K221", file=name, reason=f"> {_MOST_BYTES} B, or > {_MOST_FILES} files")
        return content

    def digest(self) -> str:
        """The sha256 of the file, or, where it imports others, of the lines that sha256sum writes about them by name."""
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in self.read.items()}
        if len(sums) == 1:
            return next(iter(sums.values()))
        lines = "".join(f"{sums[name]}  {name}\n" for name in sorted(sums))
        return hashlib.sha256(lines.encode()).hexdigest()


def described(wsdl: Wsdl, folder: Path) -> Client:
    """The service as zeep knows it; a ConfigError if the file is not there, not sound or not the one that was pinned."""
    file = folder / wsdl.file
    pinned = Pinned(file)
    settings = Settings(forbid_dtd=True, forbid_entities=True, forbid_external=True, force_https=False)
    with describing(str(wsdl.file)):
        client = Client(str(file), transport=pinned, settings=settings)
    found = pinned.digest()
    if found != wsdl.sha256:
        raise ConfigError("NAVE-K223", file=str(wsdl.file), found=found, pinned=wsdl.sha256 or "-")
    return client

"""The exchange platform by files: documents into the folder that NC imports from, receipts out of the one it writes them to.

A document's file is named after its bill, its version and what is in it, and NC repeats that name in the receipt: so each
receipt is of this very version and of no earlier one, and counts only while one is awaited. A file that waits, or that was
taken and not yet told of, is not put there again; once that has taken too long the same document goes again under the same
id, which NC refuses as a repeat if it was booked. What an earlier version left there for NC is taken away before a newer
one is put out: nobody knows in which order NC would read them.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lxml import etree

from nave.connectors.exchange import Answer
from nave.connectors.nc.bills import Bill, nc_document, written
from nave.connectors.nc.options import NcFilesOptions
from nave.connectors.nc.receipts import about, opened
from nave.connectors.wording import short
from nave.core.errors import NaveError, RetryableError, UnknownOutcome
from nave.core.protocols import Setting

_POLL = 0.1
_SETTLED = 5.0
"""Seconds after its last change that a file is taken for whole: it may have had its size from the start."""
_MOST = 10_000
"""Receipts of others that are remembered, so that they are not read at each look."""
_SENT, _READ = ".nave-sent", ".nave-read"
"""Below the folder of receipts: what was put out and is not told of yet, and receipts that were understood."""


def versioned(bills: Sequence[Bill], *, replace: bool) -> etree._Element:
    """One post as `nc_document` makes it, named after its versions too: what is as it was before is another document."""
    root = nc_document(bills, replace=replace)
    root.set("filename", f"{bills[0].id}-{'.'.join(str(bill.record.version) for bill in bills)}.xml")
    return root


class Folders:
    """Stands where the servlet's wire does: a post is a file, its answer another file. Used by several threads."""

    def __init__(self, options: NcFilesOptions, setting: Setting) -> None:
        self._options = options
        self._out = setting.folder / options.send
        self._in = setting.folder / options.receipts
        self.url = str(options.receipts)
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int, int], str] = {}
        """File, its size and time of change -> the name of the document that it is about; empty for one of others."""

    def close(self) -> None:
        """Nothing is kept open."""

    def post(self, body: bytes, headers: Sequence[str] = ()) -> Answer:
        """Put a document out, unless it is, and wait a while for its receipt.

        UnknownOutcome where there is none yet; RetryableError where the folders cannot be reached.
        """
        with translating(self.url):
            stem, name, content = self._named(body)
            until = time.monotonic() + self._options.wait.total_seconds()
            told = self._found(name)
            if told is None:
                self._put(stem, name, content)
            while told is None and time.monotonic() < until:
                time.sleep(_POLL)
                told = self._found(name)
            if told is None:
                raise UnknownOutcome("NAVE-K429", file=name, folder=self.url, unread=self._unread())
        return Answer(200, [], told)

    def look(self) -> None:
        """Whether both folders are there. RetryableError where one is not."""
        with translating(self.url):
            for folder in (self._out, self._in):
                os.scandir(folder).close()

    def _named(self, body: bytes) -> tuple[str, str, bytes]:
        """The id of its first bill, a name of its own, and the document with what an address would have said in its head."""
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
        for attribute, value in self._options.query.items():
            root.set(attribute, value)
        stem, _, versions = (root.get("filename") or "").removesuffix(".xml").rpartition("-")
        name = f"{stem}-{versions.partition('.')[0]}-{hashlib.sha256(etree.tostring(root)).hexdigest()[:8]}.xml"
        root.set("filename", name)
        return stem, name, written(root, self._options.encoding)

    def _put(self, stem: str, name: str, content: bytes) -> None:
        """A file that appears whole, once in `again`; noted behind it, so that after a crash it is rather put out twice."""
        mark = self._inner(_SENT) / name
        with suppress(FileNotFoundError):
            if time.time() - mark.stat().st_mtime < self._options.again.total_seconds() or (self._out / name).exists():
                return
        self._withdraw(stem, name)
        part = self._out / f".{name}.part"
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._out / name)
        _synced(self._out)
        mark.write_bytes(b"")

    def _withdraw(self, stem: str, name: str) -> None:
        """Take away what lies there of the same bill; others that were in that file with it are put out again."""
        earlier = re.compile(rf"{re.escape(stem)}-\d+-[0-9a-f]{{8}}\.xml")
        with os.scandir(self._out) as entries:
            found = [entry.name for entry in entries if entry.name != name and earlier.fullmatch(entry.name)]
        for one in found:
            (self._inner(_SENT) / one).unlink(missing_ok=True)
            (self._out / one).unlink(missing_ok=True)

    def _found(self, name: str) -> bytes | None:
        """The receipt of a document, put aside: told again after a crash, it would be found under `again` as a repeat.

        One that nobody awaits is put aside and not believed: it is of an earlier time, or came twice.
        """
        mark = self._inner(_SENT) / name
        with self._lock:
            for file in [file for file, named in self._listed() if named == name]:
                content = file.read_bytes()
                file.replace(self._inner(_READ) / file.name)
                if mark.exists():
                    mark.unlink()
                    return content
        return None

    def _unread(self) -> int:
        """How many files lie there that are no receipts, or not whole."""
        with self._lock:
            return sum(not named for _, named in self._listed())

    def _listed(self) -> Iterator[tuple[Path, str]]:
        """The receipts that lie there, and what each is about; one that is not whole yet comes with a later look."""
        if len(self._seen) > _MOST:
            self._seen.clear()
        with os.scandir(self._in) as entries:
            listed = [entry for entry in entries if entry.name.lower().endswith(".xml") and entry.is_file()]
        for entry in listed:
            with suppress(FileNotFoundError):
                stat = entry.stat()
                key = (entry.name, stat.st_size, stat.st_mtime_ns)
                named = self._seen.get(key)
                if named is None:
                    named = _about(Path(entry.path).read_bytes()) if stat.st_size <= self._options.max_answer else ""
                    if named or time.time() - stat.st_mtime > _SETTLED:
                        self._seen[key] = named
                yield Path(entry.path), named

    def _inner(self, name: str) -> Path:
        folder = self._in / name
        folder.mkdir(exist_ok=True)
        return folder


def _synced(folder: Path) -> None:
    """That a name is in the folder survives a loss of power too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _about(content: bytes) -> str:
    """The name of the document that a receipt is about; empty for what is none, or is cut off."""
    try:
        return about(opened(content, "-"))
    except NaveError:
        return ""


@contextmanager
def translating(url: str) -> Iterator[None]:
    """What a file system raises says that the folder cannot be used for now."""
    try:
        yield
    except OSError as error:
        raise RetryableError("NAVE-S050", url=url, reason=short(error.strerror or str(error), 200)) from error


def check(connection: NcFilesOptions, setting: Setting) -> None:
    """Look into both folders: nothing is put there."""
    Folders(connection, setting).look()

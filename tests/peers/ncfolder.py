"""A stand-in for NC's import from a folder: books files as `tests.peers.nc` does, and writes GBK receipts bit by bit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from tests.peers.nc import NcStandIn, Platform, receipt


@dataclass
class NcFolder:
    """The folders, the book behind them, and what is to go wrong next."""

    send: Path
    receipts: Path
    book: NcStandIn
    faults: list[str] = field(default_factory=list)
    """silent: books and tells nothing; cut: a receipt that ends in the middle; twice: the same receipt in two files."""
    paused: threading.Event = field(default_factory=threading.Event)

    def run(self, platform: Platform, stop: threading.Event) -> None:
        """Import what lies there until told to stop."""
        while not stop.wait(0.02):
            for file in [] if self.paused.is_set() else sorted(self.send.glob("*.xml")):
                self._one(platform, file)

    def _one(self, platform: Platform, file: Path) -> None:
        root = etree.fromstring(file.read_bytes(), etree.XMLParser(resolve_entities=False, no_network=True))
        results = platform.take(root, {})
        file.unlink()
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "silent":
            return
        content = receipt(results, dict(root.attrib))
        half = len(content) * 2 // 3
        if fault == "twice":
            (self.receipts / f"{file.stem}_回执2.xml").write_bytes(content)
        with (self.receipts / f"{file.stem}_回执.xml").open("wb") as out:
            out.write(content[:half])
            out.flush()
            out.write(content[half:] if fault != "cut" else b"")


@contextmanager
def nc_folder(folder: Path) -> Iterator[NcFolder]:
    """At work in a thread of its own while the block runs."""
    made = NcFolder(folder / "in", folder / "receipts", NcStandIn("", folder / "book.db"))
    made.send.mkdir(parents=True)
    made.receipts.mkdir()
    stop = threading.Event()
    thread = threading.Thread(target=made.run, args=(Platform(made.book.file), stop))
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()

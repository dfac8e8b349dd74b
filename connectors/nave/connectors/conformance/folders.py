"""A peer that takes files out of one folder, writes its receipts into another, and misbehaves as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nave.connectors.conformance.behaviours import OVER_FOLDERS, WELL, Behaviour
from nave.connectors.conformance.faces import Asked, FolderFace, Reply, Request
from nave.connectors.conformance.ledger import Ledger
from nave.connectors.conformance.report import Report, Row
from nave.connectors.conformance.running import a_folder, at_once, sink_row, sound
from nave.connectors.conformance.ways import At, SinkWay
from nave.core.protocols import ConnectorSpec

SEND, RECEIPTS = "send", "receipts"
"""The two folders, below the hub's folder of a run."""
LIMIT = 600.0
"""Seconds that all calls of one run may take together: a receipt is waited for, however slow the machine is."""
_AWAY = "away-"
_LOOK = 0.02
_AT_ONCE = 0.5
"""Seconds that receipts are gathered before they are written in reverse order."""
_PAGE = Reply(200, "<html><body>维护中，请稍候</body></html>")
_NO_TEXT = b"\xff\xfe\x00\xd8\x81\xff"


@dataclass(eq=False)
class FolderPeer:
    """What a run holds in its hand; safe to use from any thread."""

    face: FolderFace
    ledger: Ledger
    folder: Path
    behaviour: Behaviour = WELL
    begins: int = 0
    _kept: list[tuple[str, Reply]] = field(default_factory=list)
    """Receipts that are to be written later."""
    _since: float = 0.0
    """By the steady clock, since when the first of them waits."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def misbehave(self, behaviour: Behaviour, begins: int = 0) -> None:
        """From the next file on, or after so many."""
        with self._lock:
            self.begins, self.behaviour = begins, behaviour
            if behaviour.away:
                for name in (SEND, RECEIPTS):
                    (self.folder / name).rename(self.folder / f"{_AWAY}{name}")

    def heal(self) -> None:
        """Behave, and write what is late."""
        with self._lock:
            self.behaviour = WELL
            for name in (SEND, RECEIPTS):
                if (self.folder / f"{_AWAY}{name}").exists():
                    (self.folder / f"{_AWAY}{name}").rename(self.folder / name)
            self._write_kept()

    cut = heal
    """Nobody is kept on a line that could be cut."""

    def effects(self) -> Mapping[str, int]:
        """Key -> how often it was taken."""
        return self.ledger.effects()

    def work(self, stop: threading.Event) -> None:
        """Take what lies there until told to stop."""
        while not stop.wait(_LOOK):
            with self._lock:
                for file in self._lying():
                    self._take(file)
                if self.behaviour.name == "reordered" and self._kept and time.monotonic() - self._since > _AT_ONCE:
                    self._kept.reverse()
                    self._write_kept()

    def _lying(self) -> Sequence[Path]:
        folder = self.folder / SEND
        return sorted(one for one in folder.iterdir() if not one.name.startswith(".")) if folder.exists() else []

    def _take(self, file: Path) -> None:
        try:
            asked = self.face.asked(Request("PUT", file.name, {}, file.read_bytes()))
            file.unlink()
        except FileNotFoundError:  # its sender took it back
            return
        behaviour = self.behaviour
        if behaviour is not WELL and self.begins > 0:
            self.begins -= 1
            behaviour = WELL
        _ACTS.get(behaviour.name, _well)(self, asked)

    def done(self, asked: Asked) -> Reply:
        """Do what is asked; its receipt."""
        self.ledger.take(asked.key, asked.version)
        return self.face.taken(asked, f"R{asked.key}")

    def keep(self, asked: Asked, reply: Reply) -> None:
        """For later."""
        self._since = self._since if self._kept else time.monotonic()
        self._kept.append((asked.file, reply))

    def _write_kept(self) -> None:
        while self._kept:
            name, reply = self._kept.pop(0)
            self.write(name, reply.text.encode())

    def write(self, name: str, content: bytes, extra: str = "") -> None:
        """A receipt, which is not there whole at once."""
        (self.folder / RECEIPTS / f"receipt{extra}-{name}").write_bytes(content)


def _well(peer: FolderPeer, asked: Asked) -> None:
    peer.write(asked.file, peer.done(asked).text.encode())


def _silent(_peer: FolderPeer, _asked: Asked) -> None:
    """The file is gone."""


def _dropped(peer: FolderPeer, asked: Asked) -> None:
    peer.done(asked)


def _late(peer: FolderPeer, asked: Asked) -> None:
    peer.keep(asked, peer.done(asked))


def _half(peer: FolderPeer, asked: Asked) -> None:
    content = peer.done(asked).text.encode()
    peer.write(asked.file, content[: len(content) // 2])


def _empty(peer: FolderPeer, asked: Asked) -> None:
    peer.done(asked)
    peer.write(asked.file, b"")


def _pieces(peer: FolderPeer, asked: Asked) -> None:
    """As large as it will be from the start, as copies into a share are."""
    content = peer.done(asked).text.encode()
    for end in (0, len(content) // 3, 2 * len(content) // 3, len(content)):
        peer.write(asked.file, content[:end].ljust(len(content), b"\0"))
        time.sleep(_LOOK)


def _twice(peer: FolderPeer, asked: Asked) -> None:
    content = peer.done(asked).text.encode()
    peer.write(asked.file, content)
    peer.write(asked.file, content, "2")


def _error(peer: FolderPeer, asked: Asked) -> None:
    peer.write(asked.file, peer.face.refused(asked).text.encode())


def _page(peer: FolderPeer, asked: Asked) -> None:
    peer.done(asked)
    peer.write(asked.file, _PAGE.text.encode())


def _other(peer: FolderPeer, asked: Asked) -> None:
    peer.done(asked)
    peer.write(asked.file, peer.face.taken(asked.of("k999"), "Rk999").text.encode())


def _contrary(peer: FolderPeer, asked: Asked) -> None:
    peer.done(asked)
    peer.write(asked.file, peer.face.contrary(asked, f"R{asked.key}").text.encode())


def _gbk(peer: FolderPeer, asked: Asked) -> None:
    peer.write(asked.file, peer.done(asked).text.encode("gbk"))


def _bytes(peer: FolderPeer, asked: Asked) -> None:
    peer.done(asked)
    peer.write(asked.file, _NO_TEXT)


_ACTS: Mapping[str, Callable[[FolderPeer, Asked], None]] = {
    "silent": _silent,
    "dropped": _dropped,
    "late": _late,
    "half": _half,
    "empty": _empty,
    "pieces": _pieces,
    "twice": _twice,
    "reordered": _late,
    "error": _error,
    "page": _page,
    "other": _other,
    "contrary": _contrary,
    "gbk": _gbk,
    "bytes": _bytes,
}


@contextmanager
def folder_peer(face: FolderFace, folder: Path, *, keyed: bool = True) -> Iterator[FolderPeer]:
    """A peer at work on both folders, which are made, as long as the block runs."""
    for name in (SEND, RECEIPTS):
        (folder / name).mkdir()
    peer, stop = FolderPeer(face, Ledger(keyed=keyed), folder), threading.Event()
    thread = threading.Thread(target=peer.work, args=(stop,), name="nave-conformance", daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True, slots=True)
class FolderConformance:
    """The declaration of a connector that sends by files and is told by files; an instance is what the entry point names."""

    spec: ConnectorSpec
    face: FolderFace
    sinks: Sequence[SinkWay]
    limit: float = LIMIT
    """Seconds that all calls of one run may take together."""

    def run(self, config: Mapping[str, Any] | None = None, *, only: Sequence[str] = ()) -> Report:
        """Try every way against every behaviour, or against those named. No configuration is needed: the kit is the peer.
        ConfigError NAVE-K321 if the declaration does not work at all."""
        del config
        tried = [WELL, *(one for one in OVER_FOLDERS if not only or one.name in only)]
        works = [self._work(way, one) for way in self.sinks for one in tried]
        return Report(self.spec.name, sound(self.spec.name, at_once(works)))

    def _work(self, way: SinkWay, behaviour: Behaviour) -> Callable[[], Row]:
        def work() -> Row:
            with a_folder() as folder, folder_peer(self.face, folder, keyed=way.keyed) as peer:
                at = At("127.0.0.1", 0, 1, folder)
                return sink_row(self.spec, way, at, peer, behaviour, way.begins, limit=self.limit)

        return work

"""The heads of the audit's chain, in a file beside the store: one line of JSON for each sealing, and for each restore.

The file is to lie, or to be copied, where whoever can change the store cannot write. With a key its lines are signed
(HMAC-SHA256), so that whoever can write the file, but does not know the key, cannot make one.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nave.core.chain import Flaw
from nave.core.clock import moment

_SIZE = 32


@dataclass(frozen=True)
class Heads:
    """What a file of heads says."""

    by_place: Mapping[int, bytes] = field(default_factory=dict)
    flaws: Sequence[Flaw] = ()
    """Lines that are no heads, or not signed by any of the keys; their places are line numbers."""
    lost: int = 0
    """Entries that were sealed and are gone by a restore that somebody made known."""


class HeadsFile:
    """One hub's file of heads; the first of `keys` signs, each of them is believed. Without keys, nothing is signed."""

    def __init__(self, path: Path, keys: Sequence[str] = ()) -> None:
        self.path = path
        self.missed = 0
        """The place of a head that could not be written."""
        self._keys = [key.encode() for key in keys]
        self._latest: int | None = None

    def keep_up(self, place: int, digest: bytes, at: float) -> bool:
        """Write the chain's end down, and bring it to the disk, unless this file has it; whether that was new.

        OSError where the file cannot be read or written.
        """
        if self._latest is None:
            self._latest = max(self.read().by_place, default=0)
        if place == self._latest or not place:
            return False
        self._append({"place": place, "hash": digest.hex(), "at": _text(at)})
        self._latest = place
        return True

    def restored(self, place: int, at: float) -> None:
        """The store was put back to when its chain ended at `place`: heads of later places say nothing any more."""
        self._append({"restored": place, "at": _text(at)})
        self._latest = None

    def read(self) -> Heads:
        """All of them; what a crash cut short at the end does not count."""
        if not self.path.exists():
            return Heads()
        text = self.path.read_text("utf-8", errors="replace")
        whole, _, _ = text.rpartition("\n")
        by_place: dict[int, bytes] = {}
        wrong: list[Flaw] = []
        lost = 0
        for number, line in enumerate(whole.split("\n"), start=1):
            head = self._believed(line)
            if head is None:
                wrong += [Flaw("NAVE-E144", number, number)] if line else []
            elif "restored" in head:
                lost += max(0, max(by_place, default=0) - head["restored"])
                by_place = {place: digest for place, digest in by_place.items() if place <= head["restored"]}
            elif by_place.setdefault(head["place"], bytes.fromhex(head["hash"])).hex() != head["hash"]:
                wrong.append(Flaw("NAVE-E143", head["place"], head["place"]))
        return Heads(by_place, wrong, lost)

    def _append(self, head: dict[str, Any]) -> None:
        if self._keys:
            head["mac"] = _mac(self._keys[0], head)
        with self.path.open("ab") as file:
            # Behind a line that a crash cut short a new one begins.
            cut = file.tell() and not _ends_whole(self.path)
            file.write((b"\n" if cut else b"") + json.dumps(head).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _believed(self, line: str) -> dict[str, Any] | None:
        try:
            head = json.loads(line)
            told = {name: value for name, value in head.items() if name != "mac"}
            place = told["restored"] if "restored" in told else told["place"]
            fine = isinstance(place, int) and ("restored" in told or len(bytes.fromhex(told["hash"])) == _SIZE)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        signed = not self._keys or any(hmac.compare_digest(_mac(key, told), str(head.get("mac"))) for key in self._keys)
        return told if fine and signed else None


def _text(at: float) -> str:
    return moment(at).isoformat(timespec="milliseconds")


def _mac(key: bytes, head: Mapping[str, Any]) -> str:
    return hmac.digest(key, json.dumps(head, sort_keys=True).encode(), "sha256").hex()


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"

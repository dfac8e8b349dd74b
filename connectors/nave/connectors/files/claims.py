"""Takes files out of a drop folder by rename, before a byte is read, so that nobody else reads or replaces them.

A marker is claimed before its file: a crash in between leaves a claimed marker, which says what to finish. The other
order would leave a marker alone in the drop folder, and the next file of that name would look complete too early.
"""

from __future__ import annotations

import fnmatch
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from nave.connectors.files.folders import Folder, State
from nave.connectors.files.options import FilesSourceOptions, Ready
from nave.connectors.files.places import safe_name

Step = Callable[[str], None]
"""Called with a word between any two changes on the disk; tests crash in it."""

_CLAIMED = re.compile(r"\d{20}-\d{6}-(.+)", re.DOTALL)
_SKEW = 2.0
"""Seconds that a file's time may lie ahead of ours before it counts as a clock that is wrong."""


def original(claimed: str) -> str:
    """The name that the file had in the drop folder, or the safe form of it."""
    found = _CLAIMED.fullmatch(claimed)
    return found[1] if found else claimed


class Stillness(Protocol):
    """Tells whether a file has been left alone for the time that `ready: quiet` asks for."""

    def is_quiet(self, name: str, state: State) -> bool:
        """Of a file that lies there."""

    def is_settled(self, state: State) -> bool:
        """Of a file that was claimed when it was quiet."""

    def forget_all_but(self, present: Mapping[str, State]) -> None:
        """Drop what is no longer there."""


class Claims:
    """The folder of claimed files of one source; whoever opens it keeps others out."""

    def __init__(self, root: Folder, room: Folder, options: FilesSourceOptions, quiet: Stillness, step: Step) -> None:
        self.room = room
        self._root = root
        self._ready = options.ready
        self._wanted = re.compile(fnmatch.translate(options.pattern)).fullmatch
        self._quiet = quiet
        self._step = step

    def names(self, first: str | None) -> list[str]:
        """Claimed files in the order they were claimed, but `first`, which was begun, in front."""
        marker = self._ready.marker
        found = [name for name in self._claimed() if not (marker and name.endswith(marker))]
        return sorted(found, key=lambda name: (name != first, name))

    def settled(self, claimed: str) -> bool:
        """Whether nobody writes to a claimed file any more, as far as its time tells."""
        state = self.room.stat(claimed)
        return state is not None and (self._ready.quiet is None or self._quiet.is_settled(state))

    def _claimed(self) -> Iterator[str]:
        """Names that a claim gave; whatever else lies in the folder is not ours."""
        for name in self.room.names():
            if _CLAIMED.fullmatch(name) and safe_name(original(name)) == original(name):
                yield name

    def take(self) -> None:
        """Finish what a crash left half claimed, then claim what is ready: oldest first, then by name."""
        self._finish_markers()
        base = time.time_ns()
        ready = sorted(self._ready_names())
        for number, (_, name) in enumerate(ready):
            self._claim(name, f"{base:020d}-{number % 1_000_000:06d}-{safe_name(name)}")
        if ready:
            self.room.sync()
            self._root.sync()

    def _ready_names(self) -> Iterator[tuple[int, str]]:
        present = dict(self._root.entries())
        marker = self._ready.marker
        self._quiet.forget_all_but(present)
        for name, state in present.items():
            if name.startswith(".") or stat.S_ISDIR(state.st_mode) or not self._wanted(name):
                continue
            if marker is None:
                ready = self._quiet.is_quiet(name, state)
            else:
                ready = not name.endswith(marker) and name + marker in present
            if ready:
                yield state.st_mtime_ns, name

    def _claim(self, name: str, claimed: str) -> None:
        marker = self._ready.marker
        try:
            if marker:
                self._root.rename(name + marker, self.room, claimed + marker)
                self._step("marker claimed")
            self._root.rename(name, self.room, claimed)
        except FileNotFoundError:
            self.unmark(claimed)  # taken back by whoever dropped it
            return
        except BlockingIOError:
            return  # still open there; a marker that is claimed already says what to take later
        self._step("claimed")

    def _finish_markers(self) -> None:
        marker = self._ready.marker
        if marker is None:
            return
        claimed = set(self._claimed())
        waiting = [name for name in claimed if name.endswith(marker) and name.removesuffix(marker) not in claimed]
        here = {safe_name(name): name for name in self._root.names()} if waiting else {}
        for name in waiting:
            data = name.removesuffix(marker)
            if original(data) in here:
                with suppress(BlockingIOError):
                    self._root.rename(here[original(data)], self.room, data)
            else:
                self.room.remove(name)

    def unmark(self, claimed: str) -> None:
        """Remove a claimed file's marker; before the file itself moves on, so that a marker always means "unfinished"."""
        if self._ready.marker:
            self.room.remove(claimed + self._ready.marker)


class Quiet:
    """Tells whether a file has been left alone for the time that the options ask for."""

    def __init__(self, ready: Ready) -> None:
        self._seconds = ready.quiet.total_seconds() if ready.quiet is not None else 0.0
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}

    def is_fresh(self, mtime: float) -> bool:
        """Changed within the quiet time; a time ahead of ours says nothing and counts as old."""
        return -_SKEW <= time.time() - mtime < self._seconds

    def is_settled(self, state: State) -> bool:
        """As far as its time tells."""
        return not self.is_fresh(state.st_mtime_ns / 1e9)

    def is_quiet(self, name: str, state: State) -> bool:
        """By its time, and by watching it where its time lies in the future."""
        changed = state.st_mtime_ns / 1e9
        if time.time() - changed >= -_SKEW:
            return not self.is_fresh(changed)
        look = (state.st_size, state.st_mtime_ns)
        before = self._seen.get(name)
        if before is None or before[0] != look:
            self._seen[name] = before = (look, time.monotonic())
        return time.monotonic() - before[1] >= self._seconds

    def forget_all_but(self, present: Mapping[str, State]) -> None:
        """Drop what is no longer there."""
        self._seen = {name: seen for name, seen in self._seen.items() if name in present}

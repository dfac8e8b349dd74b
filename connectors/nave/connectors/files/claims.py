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

from nave.connectors.dropped.folders import Folder, State
from nave.connectors.dropped.names import safe_name
from nave.connectors.files.lone import Lone
from nave.connectors.files.options import FilesSourceOptions, Ready
from nave.connectors.files.pairs import Both

Step = Callable[[str], None]
"""Called with a word between any two changes on the disk; tests crash in it."""

_CLAIMED = re.compile(r"\d{20}-\d{6}-(.+)", re.DOTALL)
_NUMBERED = len("12345678901234567890-123456")
_SKEW = 2.0
"""Seconds that a file's time may lie ahead of ours before it counts as a clock that is wrong."""


def original(claimed: str) -> str:
    """The name that the file had in the drop folder, or the safe form of it."""
    found = _CLAIMED.fullmatch(claimed)
    return found[1] if found else claimed


def dropped_lines(claimed: str) -> str:
    """The name that a claimed line file had in the drop folder."""
    return claimed[_NUMBERED + 1 :]


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

    def __init__(
        self,
        root: Folder,
        room: Folder,
        options: FilesSourceOptions,
        quiet: Stillness,
        step: Step,
        lone: Lone | None = None,
    ) -> None:
        self.room = room
        self._root = root
        self._ready = options.ready
        self._pairs = options.pairs
        self._lone = lone
        self._held: set[str] = set()
        self._wanted = re.compile(fnmatch.translate(options.pattern)).fullmatch
        self._quiet = quiet
        self._step = step

    def names(self, first: str | None) -> list[str]:
        """Claimed files in the order they were claimed, but `first`, which was begun, in front."""
        marker = self._ready.marker
        found = [name for name in self._claimed() if not (marker and name.endswith(marker))]
        return sorted(found, key=lambda name: (name != first, name))

    def settled(self, claimed: str) -> bool:
        """Whether nobody writes to a claimed file any more, nor to its line file, as far as their times tell."""
        lines = self.lines_of(claimed)
        return claimed not in self._held and self._settled(claimed, missing=False) and self._settled(lines, missing=True)

    def _settled(self, claimed: str | None, *, missing: bool) -> bool:
        state = self.room.stat(claimed) if claimed else None
        if state is None:
            return missing
        return self._ready.quiet is None or self._quiet.is_settled(state)

    def lines_of(self, claimed: str) -> str | None:
        """What a claimed head file's line file is claimed as; None for what is no head file.

        The number is that of the head, and what divides it from the name says that it is not a file to be read by itself.
        """
        lines = self._pairs.lines_of(original(claimed)) if self._pairs else None
        return f"{claimed[:_NUMBERED]}+{lines}" if lines is not None else None

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
        if self._pairs:
            self._take_lines()
        if ready:
            self.room.sync()
            self._root.sync()

    def _ready_names(self) -> Iterator[tuple[int, str]]:
        present = dict(self._root.entries())
        marker = self._ready.marker
        self._quiet.forget_all_but(present)
        files = {
            name: state
            for name, state in present.items()
            if not (name.startswith(".") or stat.S_ISDIR(state.st_mode) or (marker and name.endswith(marker)))
        }
        chosen = self._ready_pairs(files, present) if self._pairs else self._ready_files(files, present)
        return ((files[name].st_mtime_ns, name) for name in chosen)

    def _ready_files(self, files: Mapping[str, State], present: Mapping[str, State]) -> Iterator[str]:
        for name, state in files.items():
            if self._wanted(name) and (self._marked(name, present) or self._is_quiet(name, state)):
                yield name

    def _ready_pairs(self, files: Mapping[str, State], present: Mapping[str, State]) -> Iterator[str]:
        """Head files that are complete with their lines, and whatever has been without its other half for too long."""
        assert self._pairs is not None
        pairs, lone = self._pairs.found(files)
        for head, lines in pairs.items():
            marked = [name for name in (head, lines) if self._marked(name, present)]
            if len(marked) == len((head, lines)) or self._is_quiet(head, Both.of(files[head], files[lines])):
                yield head
            else:
                lone += marked
        if self._ready.marker:
            lone = [name for name in lone if self._marked(name, present)]
        yield from self._lone.overdue(lone) if self._lone else ()

    def _marked(self, name: str, present: Mapping[str, State]) -> bool:
        return self._ready.marker is not None and name + self._ready.marker in present

    def _is_quiet(self, name: str, state: State) -> bool:
        return self._ready.marker is None and self._quiet.is_quiet(name, state)

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

    def _take_lines(self) -> None:
        """Claim the line files of all head files that are claimed, and that lack them: of a moment ago, or of a crash."""
        self._held = set()
        marker = self._ready.marker or ""
        heads = [name for name in self._claimed() if not (marker and name.endswith(marker))]
        wanted = {head: lines for head in heads if (lines := self.lines_of(head)) and self.room.stat(lines) is None}
        here = set(self._root.names()) if wanted else set()
        for head, lines in wanted.items():
            name = dropped_lines(lines)
            dropped = name + marker in here
            if name in here and (dropped or not marker or self.room.stat(lines + marker) is not None):
                self._take_line_file(name, head, lines, marker if dropped else "")

    def _take_line_file(self, name: str, head: str, lines: str, marker: str) -> None:
        try:
            if marker:
                self._root.rename(name + marker, self.room, lines + marker)
                self._step("line marker claimed")
            self._root.rename(name, self.room, lines)
        except FileNotFoundError:
            return  # taken back: the head is refused without it
        except BlockingIOError:
            self._held.add(head)
            return
        self._step("lines claimed")

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
            lines = self.lines_of(claimed)
            if lines is not None:
                self.room.remove(lines + self._ready.marker)


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

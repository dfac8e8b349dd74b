"""Files that arrive in every bad shape, against the real files source: none is read in part, none twice, none is lost.

Writers note each content before it touches the disk. What the source must make of it is the shape's promise: WHOLE is
once and complete; MAYBE is that or never, for what its own writer replaced, took back or gave up; REFUSED adds a refusal
in the open.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from tests.connectors.dropping import Drop, Killed
from tests.faults.driving import Driver, Round
from tests.faults.syscalls_child import turn

HEAD = "ID,N,OF\n"
BATCH = 10
QUIET = 0.4
"""Seconds; writers that promise to be quick pause for a fiftieth of it, and loaded machines need room."""


class Promise(Enum):
    """What becomes of one content."""

    WHOLE = "whole"
    MAYBE = "whole or never"
    REFUSED = "whole, never, or refused in the open"


@dataclass
class Written:
    """One content, as its writer noted it."""

    rows: int
    promise: Promise


@dataclass
class Writer:
    """Writes files of one shape into one drop folder; its notes are the truth."""

    folder: Path
    random: random.Random
    prefix: str
    notes: dict[str, Written] = field(default_factory=dict)
    made: int = 0

    def content(self, promise: Promise = Promise.WHOLE) -> bytes:
        """A new content, noted: rows that say which content they are of, which row, and of how many."""
        self.made += 1
        name, rows = f"{self.prefix}-{self.made}", self.random.randint(1, 35)
        self.notes[name] = Written(rows, promise)
        return (HEAD + "".join(f"{name},{number},{rows}\n" for number in range(rows))).encode()

    def path(self, name: str = "") -> Path:
        """Where a file of that name lies."""
        return self.folder / f"{name or f'{self.prefix}-{self.made}'}.csv"

    def slowly(self, path: Path, content: bytes, mode: str = "wb") -> None:
        """Write in place, in pieces."""
        cut = sorted(self.random.randrange(len(content) + 1) for _ in range(3))
        with path.open(mode, buffering=0) as file:
            for start, end in zip([0, *cut], [*cut, len(content)], strict=True):
                file.write(content[start:end])
                time.sleep(self.random.random() * 0.004)

    def appear(self, path: Path, content: bytes) -> None:
        """Write aside and rename."""
        aside = path.with_name(f".{path.name}.part")
        aside.write_bytes(content)
        aside.rename(path)

    def mark(self, path: Path) -> None:
        """Say that a file is complete."""
        path.with_name(f"{path.name}.ok").touch()

    def downgrade(self, count: int) -> None:
        """The last `count` contents but one could be overtaken by the one behind them."""
        for number in range(self.made - count + 1, self.made):
            self.notes[f"{self.prefix}-{number}"].promise = Promise.MAYBE


def in_place(writer: Writer) -> None:
    """Written slowly under its own name, then marked."""
    content = writer.content()
    writer.slowly(writer.path(), content)
    writer.mark(writer.path())


def aborted(writer: Writer) -> None:
    """Given up halfway, and sent again whole under the same name."""
    content = writer.content(Promise.MAYBE)
    path = writer.path()
    path.write_bytes(content[: len(content) // 2])
    whole = writer.content()
    writer.slowly(path, whole)
    writer.mark(path)


def left_alone(writer: Writer) -> None:
    """Written slowly under its own name; only its quiet says that it is complete."""
    content = writer.content()
    writer.slowly(writer.path(), content)


def pausing(writer: Writer) -> None:
    """A writer that pauses in the middle, for less than the quiet time."""
    content = writer.content()
    path = writer.path()
    path.write_bytes(content[: len(content) // 2])
    time.sleep(QUIET / 50)
    writer.slowly(path, content[len(content) // 2 :], "ab")


def renamed(writer: Writer) -> None:
    """Written aside, then renamed: the good shape."""
    content = writer.content()
    writer.appear(writer.path(), content)


def replaced(writer: Writer) -> None:
    """The same name three times, each renamed over the one before: seen or overtaken, and the last is seen."""
    path = writer.path(f"{writer.prefix}-same")
    for _ in range(3):
        writer.appear(path, writer.content())
        time.sleep(writer.random.random() * 0.01)
    writer.downgrade(3)
    for number in range(1, writer.made):  # an older round under the same name may be overtaken too
        writer.notes[f"{writer.prefix}-{number}"].promise = Promise.MAYBE


def wandering(writer: Writer) -> None:
    """Renamed again and again while the source may be about to take it."""
    content = writer.content()
    path = writer.path()
    writer.appear(path, content)
    for number in range(3):
        following = writer.path(f"{path.stem}-{number}")
        try:
            path.rename(following)
        except FileNotFoundError:
            return
        path = following


def taken_back(writer: Writer) -> None:
    """Removed again at once, if it is still there."""
    content = writer.content(Promise.MAYBE)
    writer.appear(writer.path(), content)
    writer.path().unlink(missing_ok=True)


def still_written(writer: Writer) -> None:
    """Renamed into place first and written on, through a handle that stays open: found out, or complete."""
    content = writer.content(Promise.REFUSED)
    path = writer.path()
    aside = path.with_name(f".{path.name}.part")
    with aside.open("wb", buffering=0) as file:
        file.write(content[: len(content) // 2])
        aside.rename(path)
        time.sleep(writer.random.random() * 0.005)
        file.write(content[len(content) // 2 :])


def twice(writer: Writer) -> None:
    """One content under two names, and a second name on the same file: each file counts, links are refused."""
    content = writer.content()
    writer.appear(writer.path(), content)
    writer.path(f"{writer.path().stem}-link").symlink_to("/etc/hostname")


Shape = Callable[[Writer], None]
SHAPES: Mapping[str, tuple[dict[str, Any], tuple[Shape, ...]]] = {
    "marker": ({"marker": ".ok"}, (in_place, aborted)),
    "quiet": ({"quiet": f"{int(QUIET * 1000)}ms"}, (left_alone, pausing, still_written)),
    "rename": ({"quiet": "0s"}, (renamed, replaced, wandering, taken_back, twice)),
}
"""By the way in which a file becomes ready: the source's option, and the shapes that keep to it."""


@dataclass
class Reader:
    """Reads one folder until it is told that all is written; killed now and then, at any step."""

    drop: Drop
    random: random.Random
    kills: float
    killed: int = 0

    def read(self) -> bool:
        """One pass; whether it brought something, or was cut short."""
        before = len(self.drop.batches)
        try:
            self.drop.run(self._step)
        except Killed:
            self.killed += 1
            return True
        return len(self.drop.batches) > before

    def _step(self, _: str) -> None:
        if self.random.random() < self.kills:
            raise Killed


def unread(folder: Path) -> list[str]:
    """Files in the drop folder that a reader would still take."""
    return [path.name for path in folder.iterdir() if path.suffix == ".csv" and not path.name.startswith(".")]


def judged(writers: list[Writer], drop: Drop) -> list[str]:
    """Each content against its promise."""
    found: dict[str, Counter[int]] = {}
    for record in drop.landed:
        found.setdefault(record["ID"], Counter())[int(record["N"])] += 1
    refused = {Path(name).name for name, _ in drop.refused}
    wrong = [f"nobody wrote {name}" for name in found.keys() - {name for one in writers for name in one.notes}]
    for writer in writers:
        for name, note in writer.notes.items():
            rows = found.get(name, Counter())
            whole = sorted(rows.items()) == [(number, 1) for number in range(note.rows)]
            never = not rows and note.promise is not Promise.WHOLE
            open_ = note.promise is Promise.REFUSED and any(one.startswith(f"{name}.csv") for one in refused)
            if not (whole or never or open_):
                most = max(rows.values(), default=0)
                wrong.append(f"{name} ({note.promise.value}): {len(rows)} of {note.rows} rows, most {most} times")
    return wrong


def storm(folder: Path, ready: str, files: int, seed: int, kills: float = 0.002) -> tuple[int, list[str]]:
    """`files` contents in all shapes of one kind at once, read while they come: how many there were, and what is wrong."""
    option, shapes = SHAPES[ready]
    drop = Drop(folder / "drop", {"pattern": "*.csv", "ready": option, "batch": BATCH})
    drop.folder.mkdir(parents=True)
    writers = [Writer(drop.folder, random.Random(f"{seed}{shape.__name__}"), f"{shape.__name__}") for shape in shapes]
    share = files // len(shapes)
    threads = [threading.Thread(target=_write, args=(*pair, share)) for pair in zip(writers, shapes, strict=True)]
    for thread in threads:
        thread.start()
    reader = Reader(drop, random.Random(seed), kills)
    deadline = time.monotonic() + 60 + files / 20
    while any(thread.is_alive() for thread in threads) or reader.read() or unread(drop.folder):
        if time.monotonic() > deadline:
            break
        reader.read()
    for thread in threads:
        thread.join()
    wrong = judged(writers, drop) + [f"left in the folder: {name}" for name in unread(drop.folder)[:5]]
    left = [name for name in drop.files(".nave") if "claimed" in name]
    return sum(writer.made for writer in writers), wrong + [f"left claimed: {name}" for name in left[:5]]


def _write(writer: Writer, shape: Shape, share: int) -> None:
    while writer.made < share:
        shape(writer)


def many(folder: Path, count: int) -> list[str]:
    """`count` files that lie there when the source first looks; what is wrong after one pass."""
    drop = Drop(folder / "drop", {"pattern": "*.csv", "ready": {"quiet": "0s"}})
    drop.folder.mkdir(parents=True)
    for number in range(count):
        (drop.folder / f"{number:06}.csv").write_bytes(f"{HEAD}{number},0,1\n".encode())
    drop.run()
    seen = Counter(int(record["ID"]) for record in drop.landed)
    wrong = [f"{number} came {seen[number]} times" for number in range(count) if seen[number] != 1]
    left = len(unread(drop.folder))
    return wrong + ([f"{left} files left"] if left else [])


def _torn(seed: int, folder: Path) -> Round:
    ready = list(SHAPES)[turn(seed) % len(SHAPES)]
    count, wrong = storm(folder, ready, 1_000, seed)
    return Round(count, wrong, detail={"ready": ready})


def _many(seed: int, folder: Path) -> Round:
    count = (5_000, 20_000, 100_000)[turn(seed) % 3]
    return Round(count, many(folder, count), detail={"at once": count})


DRIVERS = (Driver("torn-file", _torn), Driver("many-files", _many))

"""What reading and writing need of a folder, wherever it is: on this machine or on a file server."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Protocol, Self, TypeVar


class State(Protocol):
    """What a folder tells of one entry; `os.stat_result` does."""

    @property
    def st_mode(self) -> int:
        """Kind and rights."""

    @property
    def st_size(self) -> int:
        """Bytes."""

    @property
    def st_mtime_ns(self) -> int:
        """When it was changed last, by the clock of whoever holds it, in nanoseconds."""


class Folder(Protocol):
    """An open folder: everything in it is reached by base name; OSError where something cannot be done."""

    def close(self) -> None:
        """Give it back."""

    def inner(self, *names: str) -> Self:
        """A folder below this one, made where it is missing."""

    def names(self) -> list[str]:
        """What is in the folder, in no order."""

    def entries(self) -> Iterator[tuple[str, State]]:
        """Each name with its own state."""

    def stat(self, name: str) -> State | None:
        """The state of an entry, None if there is none."""

    def put(self, name: str, content: bytes) -> None:
        """Write a file, whole."""

    def rename(self, name: str, room: Self, new: str) -> None:
        """Move into `room`; FileNotFoundError where there is nothing of that name."""

    def placed(self, name: str, room: Self, new: str) -> bool:
        """Move into `room` unless another file has that name there already."""

    def remove(self, name: str) -> None:
        """Remove the entry if it is there."""

    def sync(self) -> None:
        """Bring names made, moved and removed here to the disk, where that is ours to do."""

    def free_name(self, name: str) -> str:
        """`name`, or the first of `name~2`, `name~3`... that is not taken."""


AnyFolder = TypeVar("AnyFolder", bound=Folder)


def move(name: str, source: AnyFolder, room: AnyFolder, wanted: str) -> str:
    """Move into `room` and never overwrite: returns the name it got, `wanted~2` where `wanted` is taken.

    Both folders are on the disk afterwards, and doing it again after a crash finishes it.
    """
    for new in numbered(wanted):
        if source.placed(name, room, new):
            room.sync()
            source.sync()
            return new
    raise AssertionError("the numbers never end")


def free_name(room: Folder, name: str, other: str | None) -> str:
    """`name`, or the first of `name~2`, `name~3`... that is not taken, nor is the same of `other`, which goes with it."""
    if other is None:
        return room.free_name(name)
    both = zip(numbered(name), numbered(other), strict=True)
    return next(one for one, beside in both if room.stat(one) is None and room.stat(beside) is None)


def numbered(name: str) -> Iterator[str]:
    """`name`, `name~2`, `name~3`..."""
    yield name
    for number in count(2):
        yield f"{name}~{number}"


def plain(name: str) -> str:
    """The name, if it is the name of an entry and no path."""
    if not is_plain(name):
        raise ValueError("not a base name")
    return name


def is_plain(name: str) -> bool:
    """Whether it is the name of an entry and no path."""
    return not ("/" in name or "\0" in name or name in ("", ".", ".."))

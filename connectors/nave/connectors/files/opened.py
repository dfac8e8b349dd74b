"""What is read as one input: a claimed file, and the line file beside it where its heads have one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nave.connectors.dropped.reading import Chunk, Content, content
from nave.connectors.dropped.room import Room
from nave.connectors.files.joined import LineFile, unit_of
from nave.connectors.files.options import FilesSourceOptions
from nave.connectors.files.sites import Site


@dataclass(frozen=True, slots=True)
class Beside:
    """A line file: what it is claimed as, and the name it was dropped under."""

    claimed: str
    name: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Open files."""

    heads: Content
    beside: Beside | None = None
    lines: Content | None = None

    @property
    def mark(self) -> str:
        """Tells whether a later reader has the same before it."""
        return self.heads.sha256 if self.lines is None else f"{self.heads.sha256}+{self.lines.sha256}"

    @property
    def line_file(self) -> LineFile | None:
        """The lines, to be joined."""
        return LineFile(self.beside.name, self.lines.file, self.lines.is_as_opened) if self.beside and self.lines else None

    def is_same(self, site: Site, claimed: str) -> bool:
        """Whether the files still are what was dropped; `heads` is looked at by whoever reads it."""
        if not site.same(claimed):
            return False
        return not (self.beside and self.lines) or (self.lines.is_as_opened() and site.same(self.beside.claimed))

    def sync(self) -> None:
        """Bring what was read to the disk, before it is said to be safe."""
        for one in (self.heads, self.lines):
            if one is not None:
                os.fsync(one.file.fileno())


def lines_are_near(site: Site, beside: Beside | None, origin: dict[str, str | int]) -> bool:
    """Whether a line file, where there is one, can be opened here; `origin` names it while it is at fault."""
    if beside is None:
        return True
    origin["member"] = beside.name
    if site.near(beside.claimed) is None:
        return False
    del origin["member"]
    return True


@contextmanager
def line_content(room: Room, beside: Beside | None, origin: dict[str, str | int]) -> Iterator[Content | None]:
    """Open a line file where there is one; `origin` names it while it is at fault."""
    if beside is None:
        yield None
        return
    origin["member"] = beside.name
    with content(room, beside.claimed) as lines:
        del origin["member"]
        yield lines


def of_part(chunk: Chunk, options: FilesSourceOptions) -> dict[str, str | int]:
    """What the origin of a chunk says besides that of its file."""
    return {"member": chunk.member, "unit": unit_of(chunk.member, options)} if chunk.member else {}

"""A drop folder, and a hub that commits what comes from it batch by batch, or is killed in between."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nave.connectors.files.claims import Step
from nave.connectors.files.options import FilesOptions, FilesSourceOptions
from nave.connectors.files.source import FilesSource
from nave.core.protocols import Batch, Raw, Setting

CSV = {"type": "csv"}
XML = {"type": "xml", "record": "Order"}
NOW = {"quiet": "0s"}


class Killed(BaseException):
    """The process ends here."""


def go_on(step: str) -> None:
    return None


@dataclass
class Drop:
    """A folder to drop files into, and what a hub would have of it."""

    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    landed: list[Raw] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    position: str | None = None

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def source(self, step: Step = go_on) -> FilesSource:
        options = {"pattern": "*", "format": CSV, "ready": NOW, "batch": 10, **self.options}
        setting = Setting("erp.orders", self.folder.parent)
        return FilesSource(FilesOptions(url=str(self.folder)), FilesSourceOptions.model_validate(options), setting, step)

    def run(self, step: Step = go_on) -> Drop:
        """Commit batch by batch, as the hub does: a step before each commit and one behind it."""
        reading = self.source(step).read(self.position)
        try:
            for batch in reading:
                step("before the commit")
                self.landed += batch.records
                self.refused += [(refused.raw, refused.error.code) for refused in batch.refused]
                self.batches.append(batch)
                self.position = batch.position or self.position
                step("behind the commit")
        finally:
            reading.close()  # type: ignore[attr-defined]
        return self

    def files(self, under: str = "") -> list[str]:
        """Every file below, with its path, in order."""
        found = (path for path in (self.folder / under).rglob("*") if not path.is_dir())
        return sorted(str(path.relative_to(self.folder / under)) for path in found)

    def archived(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "archive").rglob("*") if not path.is_dir())


def rows(first: int, count: int) -> str:
    return "ID\n" + "".join(f"{number:06d}\n" for number in range(first, first + count))


def records(first: int, count: int) -> list[Raw]:
    return [{"ID": f"{number:06d}"} for number in range(first, first + count)]


def aged(path: Path, seconds: float) -> Path:
    state = path.stat()
    os.utime(path, (state.st_atime - seconds, state.st_mtime - seconds))
    return path


def killing_at(number: int) -> Step:
    """A step that ends the process at the n-th call."""
    left = iter(range(number))

    def step(_: str) -> None:
        if next(left, None) is None:
            raise Killed

    return step

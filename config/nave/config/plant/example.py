"""Writes the folder of the example hub: the files that an engineer would write, as they come with Nave."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_SKIPPED = frozenset({"__pycache__"})


def write_example(folder: Path) -> list[Path]:
    """Copy the template of the plant's hub into a folder; returns the files written.

    Folders are made as needed. FileExistsError, before anything is written, when one of the files is there already.
    """
    wanted = [(folder / name, source) for name, source in _walk(files("nave.config").joinpath("examples", "plant"), "")]
    for path, _ in wanted:
        if path.exists():
            raise FileExistsError(str(path))
    for path, source in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read_bytes())
    return [path for path, _ in wanted]


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_file():
            found.append((prefix + entry.name, entry))
        elif entry.name not in _SKIPPED:
            found += _walk(entry, f"{prefix}{entry.name}/")
    return found

"""The ready-made systems that come with Nave: what there are, and their files, laid out as a hub folder is."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

_ABOUT = "about.toml"


@dataclass(frozen=True)
class Ready:
    """One ready-made system."""

    name: str
    title: Mapping[str, str]
    about: Mapping[str, str]
    """What is connected and how, in one line; by language, as the title is."""
    folder: Traversable

    def files(self) -> Iterator[tuple[str, bytes]]:
        """What goes into a hub folder: paths with `/`, in order."""
        yield from _walk(self.folder, "")


def ready_systems() -> Mapping[str, Ready]:
    """All there are, by name, in order."""
    root = files("nave.config").joinpath("ready")
    folders = sorted((one for one in root.iterdir() if one.joinpath(_ABOUT).is_file()), key=lambda one: one.name)
    return {folder.name: _read(folder) for folder in folders}


def _read(folder: Traversable) -> Ready:
    told = tomllib.loads(folder.joinpath(_ABOUT).read_text("utf-8"))
    return Ready(folder.name, told["title"], told["about"], folder)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{path}/") if entry.name != "__pycache__" else ()
        elif path != _ABOUT:
            yield path, entry.read_bytes()

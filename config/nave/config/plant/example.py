"""Writes the folders of the example hubs: the files that an engineer would write, as they come with Nave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from nave.config.readymade import ready_systems

_SKIPPED = frozenset({"__pycache__"})
READY = ("nc", "solidworks-pdm", "pdm-staging", "hr-db", "zkteco", "espocrm", "autoid")
"""The ready-made systems of the example `plant-systems`, beside the ERP of the plant itself."""
_KEPT = ("hub.yaml", "systems/erp.yaml", "mappings/erp/", "mappings/nc/", "tables/", "samples/erp/", "samples/nc/")
"""What `plant-systems` takes over from `plant`."""
_LEFT_OUT = (
    *(f"mappings/nc/{name}." for name in ("gathered", "order", "writeoff")),
    *(f"tables/{name}." for name in ("employee_status", "punch_direction", "punch_method")),
)
"""What nothing uses there: NC's database is not read, and the ready-made systems of HR have tables of their own."""
_UNUSED = ("bom", "production", "production-out", "shipment", "move", "move-out", "invoice", "invoice-out")
"""What Tryton's ready-made system maps, and the plant does not."""
_HR = (b"system: hr}", b"system: hr-db}"), (b"system: hr,", b"system: hr-db,")
"""The HR system has another name there."""


def write_example(folder: Path, name: str = "plant") -> list[Path]:
    """Copy the template of an example hub into a folder; returns the files written.

    Folders are made as needed. FileExistsError, before anything is written, when one of the files is there already.
    """
    wanted = {folder / path: content for path, content in _EXAMPLES[name]().items()}
    for path in wanted:
        if path.exists():
            raise FileExistsError(str(path))
    for path, content in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return list(wanted)


def _template(name: str) -> dict[str, bytes]:
    root = files("nave.config").joinpath("examples", name)
    return {path: source.read_bytes() for path, source in _walk(root, "")}


def _plant() -> dict[str, bytes]:
    return _template("plant")


def _plant_systems() -> dict[str, bytes]:
    """The ready-made systems as they come, what the plain plant has of ERP and NC, and over both what this site changed."""
    ready = ready_systems()
    wanted = {path: content for name in READY for path, content in ready[name].files()}
    wanted |= {path: _renamed(path, content) for path, content in _plant().items() if path.startswith(_KEPT)}
    wanted |= _template("plant-systems")
    return {path: content for path, content in wanted.items() if not path.startswith(_LEFT_OUT)}


def _plant_tryton() -> dict[str, bytes]:
    """The same with a Tryton beside the ERP, and what the site changed of its ready-made system."""
    skipped = (*(f"mappings/tryton/{name}." for name in _UNUSED), "entities/")
    tryton = {path: content for path, content in ready_systems()["tryton"].files() if not path.startswith(skipped)}
    return _plant_systems() | tryton | _template("plant-tryton")


def _renamed(path: str, content: bytes) -> bytes:
    for old, new in _HR if path.startswith("mappings/erp/") else ():
        content = content.replace(old, new)
    return content


_EXAMPLES: Mapping[str, Callable[[], dict[str, bytes]]] = {
    "plant": _plant,
    "plant-systems": _plant_systems,
    "plant-tryton": _plant_tryton,
}


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_file():
            found.append((prefix + entry.name, entry))
        elif entry.name not in _SKIPPED:
            found += _walk(entry, f"{prefix}{entry.name}/")
    return found

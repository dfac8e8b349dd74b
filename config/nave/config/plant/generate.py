"""Makes the example plant, a function of size and seed: what its five systems hold, with the dirt, and the truth."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from nave.config.plant.crm_events import write_crm_events
from nave.config.plant.drop import SECOND_WAVE
from nave.config.plant.erp_database import write_erp_database
from nave.config.plant.erp_files import write_erp_files
from nave.config.plant.hr_files import write_hr_files
from nave.config.plant.nc_files import write_nc_files
from nave.config.plant.pdm_files import write_boms, write_pdm_files
from nave.config.plant.sayings import say_all
from nave.config.plant.systems.databases import write_hr_database, write_staging
from nave.config.plant.systems.doors import write_clock, write_scans
from nave.config.plant.systems.espocrm import write_accounts
from nave.config.plant.systems.retold import RetoldTruth
from nave.config.plant.truth import PlantTruth, TruthWriter
from nave.config.plant.world import World, build

TRUTH = "data/truth"
Writer = Callable[[Path, World, TruthWriter], None]


def _write_vault(folder: Path, world: World, truth: TruthWriter) -> None:
    write_boms(folder / "drop" / "solidworks", world, "solidworks.documents", truth)


_EVERYWHERE: tuple[Writer, ...] = (write_erp_database, write_erp_files, write_nc_files)
_SYSTEMS: tuple[type[TruthWriter], tuple[Writer, ...]] = (
    RetoldTruth,
    (*_EVERYWHERE, _write_vault, write_staging, write_hr_database, write_clock, write_accounts, write_scans),
)
_WRITERS: Mapping[str, tuple[type[TruthWriter], tuple[Writer, ...]]] = {
    "plant": (TruthWriter, (*_EVERYWHERE, write_pdm_files, write_hr_files, write_crm_events)),
    "plant-systems": _SYSTEMS,
    "plant-tryton": _SYSTEMS,  # Tryton is empty at first: all that it says of these was told to it
}
"""Example -> who takes down the truth, and who writes what its systems hold."""


def generate(folder: Path, *, size: int, seed: int, example: str = "plant") -> PlantTruth:
    """Write the plant of `size` customers into a hub folder: `data/`, `drop/`, and the truth in `data/truth/`.

    The same size, seed and example give the same bytes, whenever and wherever; both examples are of the same plant. What a
    run before left in `data/` and `drop/` is removed first. ValueError when the size is outside 50..900,000.
    """
    world = build(size, seed)
    scribe, writers = _WRITERS[example]
    for part in ("data", "drop"):
        shutil.rmtree(folder / part, ignore_errors=True)
    with scribe(folder / TRUTH) as truth:
        say_all(world, truth)
        for write in writers:
            write(folder, world, truth)
        return truth.finish()


def drop_again(folder: Path) -> int:
    """Let the files come that come twice under the same name; returns how many. Nothing may change because of them."""
    found = sorted(path for path in (folder / SECOND_WAVE).rglob("*") if path.is_file())
    for path in found:
        place = folder / "drop" / path.relative_to(folder / SECOND_WAVE)
        shutil.copy2(path, place.with_suffix(".part"))
        place.with_suffix(".part").rename(place)
    return len(found)

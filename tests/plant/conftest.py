"""One plant, made once, that the tests of this folder only read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nave.config.plant import PlantTruth, generate
from nave.config.plant.generate import TRUTH
from nave.config.plant.truth import read_lines

SIZE, SEED = 200, 7


class Plant:
    """A generated plant and the lines of its truth."""

    def __init__(self, folder: Path, truth: PlantTruth) -> None:
        self.folder = folder
        self.truth = truth

    def golden(self, entity: str) -> list[dict[str, Any]]:
        return list(read_lines(self.folder / TRUTH / f"golden/{entity}.jsonl"))

    def target(self, sink: str) -> list[dict[str, Any]]:
        return list(read_lines(self.folder / TRUTH / f"targets/{sink}.jsonl"))

    def files(self, pattern: str) -> Iterator[Path]:
        found = sorted(self.folder.glob(pattern))
        assert found, pattern
        return iter(found)


@pytest.fixture(scope="session")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Plant:
    folder = tmp_path_factory.mktemp("plant")
    return Plant(folder, generate(folder, size=SIZE, seed=SEED))

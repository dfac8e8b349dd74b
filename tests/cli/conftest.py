"""Hubs that the tests of the command line work on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import Answer, nave
from tests.cli.tiny import drop_files, write_hub


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A hub that has not run yet."""
    return write_hub(tmp_path / "tiny")


@pytest.fixture
def full(hub: Path) -> Path:
    """A hub that has run on its files and its database, for tests that change it."""
    drop_files(hub)
    assert nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=hub).status == 4
    return hub


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """A hub that has run, for tests that only look at it, and what the run said."""
    folder = write_hub(tmp_path_factory.mktemp("looked at"))
    drop_files(folder)
    return folder, nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=folder)


@pytest.fixture(scope="module")
def looked_at(ran: tuple[Path, Answer]) -> Path:
    """The folder of that hub."""
    return ran[0]

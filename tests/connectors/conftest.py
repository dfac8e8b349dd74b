"""Databases and drop folders that the connectors are tried on."""

from __future__ import annotations

from pathlib import Path

import pytest

from nave.connectors.sql.options import SqlOptions
from tests.connectors.dropping import Drop


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> SqlOptions:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return SqlOptions(url=f"sqlite:///{tmp_path / 'erp.db'}", busy="50ms")
    return SqlOptions(url=request.getfixturevalue("postgres_url"))


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    folder = tmp_path / "drop"
    folder.mkdir()
    return Drop(folder)

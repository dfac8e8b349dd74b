"""A hub in many processes, for the tests that want one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.many import Calls, Many


@pytest.fixture
def target() -> Iterator[Calls]:
    with Calls() as calls:
        yield calls


@pytest.fixture
def many(tmp_path: Path, postgres_url: str, target: Calls) -> Iterator[Many]:
    made = Many(tmp_path / "hub", postgres_url, target.port)
    try:
        yield made
    finally:
        made.close()

"""Torn, replaced, renamed, aborted files: what the source reads of them is whole, once, and never silently less."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import torn

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("ready", torn.SHAPES)
def test_files_in_every_bad_shape_are_read_whole_and_once_while_the_reader_is_killed(tmp_path: Path, ready: str) -> None:
    count, wrong = torn.storm(tmp_path, ready, 340, seed=7)

    assert wrong == []
    assert count >= 330


def test_many_files_at_once_are_all_read(tmp_path: Path) -> None:
    assert torn.many(tmp_path, 500) == []

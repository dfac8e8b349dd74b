"""Poisoned messages stop nobody: each ends as a letter or is refused at the door, and the good ones come out right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.poisoning import poisoned

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(600)]


def test_one_poisoned_message_in_five_changes_nothing_for_the_others(tmp_path: Path) -> None:
    done = poisoned(19, tmp_path / "hub", count=1_500)

    assert done.problems == []
    assert done.count > 300

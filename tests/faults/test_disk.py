"""Disks that fill up or turn read-only under a running hub, and come back: it resumes by itself within 30 seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults import disk

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.mark.parametrize(("where", "kind"), [("data", "full"), ("out", "full"), ("drop", "inodes"), ("drop", "read-only")])
def test_a_hub_whose_disk_was_in_trouble_goes_on_by_itself(tmp_path: Path, where: str, kind: str) -> None:
    if not disk.mountable():
        missing("the right to mount")

    seconds, problems = disk.trouble(tmp_path, where, kind)

    assert problems == []
    assert seconds < disk.RESUMED_WITHIN

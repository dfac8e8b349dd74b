"""The oracle is worth its word: a hub with a planted defect is reported, one without is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults.defects import DEFECTS
from tests.faults.planting import NO_DEFECT, findings, reported, unsynced

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
QUICK = (
    "ack before commit",
    "nack ignored",
    "dedup key without source",
    "no dir fsync",
    "retry of unknown outcome at a blind target",
    "dead-letter missing",
    "late version overwrites",
    "quarantine without reason",
)
"""The others are tried by `make faults`, all sixteen."""


def test_sixteen_defects_are_known() -> None:
    assert len(DEFECTS) == 16
    assert set(QUICK) < set(DEFECTS)


@pytest.mark.long
def test_a_hub_without_a_defect_is_not_reported(tmp_path: Path) -> None:
    assert findings(NO_DEFECT, 1, tmp_path) == []


def test_a_hub_without_a_defect_brings_every_folder_to_the_disk(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        missing("strace")

    assert unsynced(NO_DEFECT, tmp_path) == []


@pytest.mark.long
@pytest.mark.parametrize("defect", QUICK)
def test_a_planted_defect_is_reported(defect: str, tmp_path: Path) -> None:
    if defect == "no dir fsync" and shutil.which("strace") is None:
        missing("strace")

    assert reported(defect, found := findings(defect, 1, tmp_path)), found

"""The generator is a function of size and seed, and its faults grow with the size."""

from __future__ import annotations

import hashlib
from datetime import UTC
from pathlib import Path

import pytest

from nave.config.plant import PlantTruth, drop_again, generate
from nave.config.plant.world import BASE, LARGEST, SMALLEST

EVERY_FAULT = {
    "GBK file",
    "UTF-8 file with a BOM",
    "bad record in a good file",
    "company-name variants",
    "event repeated",
    "event without a key",
    "file repeated",
    "full width",
    "gb2312 declared, GB18030 written",
    "invoice in an earlier file than its order",
    "leading zeros lost",
    "mixed date forms",
    "one company, three codes",
    "punch repeated",
    "red invoice",
    "row with too many columns",
    "stale after newer",
    "tax number missing",
    "tax number wrong",
    "twice in one file",
}


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_size_and_seed_give_the_same_bytes(tmp_path: Path) -> None:
    first = generate(tmp_path / "one", size=60, seed=3)
    second = generate(tmp_path / "two", size=60, seed=3)

    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert (first.records, first.golden, first.dirt) == (second.records, second.golden, second.dirt)


def test_another_seed_gives_other_companies(tmp_path: Path) -> None:
    generate(tmp_path / "one", size=60, seed=3)
    generate(tmp_path / "two", size=60, seed=4)

    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")

    assert one["data/erp.db"] != two["data/erp.db"]
    assert one["data/crm/events.jsonl"] != two["data/crm/events.jsonl"]


def test_a_second_run_replaces_the_first(tmp_path: Path) -> None:
    generate(tmp_path, size=120, seed=3)
    generate(tmp_path, size=60, seed=3)
    again = contents(tmp_path)

    generate(tmp_path / "fresh", size=60, seed=3)

    assert again == contents(tmp_path / "fresh")


def test_files_have_the_plants_time_not_the_machines(tmp_path: Path) -> None:
    generate(tmp_path, size=60, seed=3)

    stamps = [path.stat().st_mtime for path in (tmp_path / "drop").rglob("*") if path.is_file()]

    assert len(set(stamps)) == len(stamps)
    start = BASE.replace(tzinfo=UTC).timestamp()
    assert all(0 < stamp - start < 3 * 86_400 for stamp in stamps)


@pytest.mark.parametrize("size", [0, SMALLEST - 1, LARGEST + 1])
def test_a_size_that_cannot_hold_every_fault_is_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(ValueError, match="size must lie between"):
        generate(tmp_path, size=size, seed=1)


@pytest.mark.parametrize("size", [SMALLEST, 333])
def test_every_fault_is_there(tmp_path: Path, size: int) -> None:
    truth = generate(tmp_path, size=size, seed=1)

    assert set(truth.dirt) == EVERY_FAULT
    assert all(count > 0 for count in truth.dirt.values())


def test_records_and_faults_grow_with_the_size(tmp_path: Path) -> None:
    small, large = (generate(tmp_path / str(size), size=size, seed=1) for size in (250, 1_000))

    assert_four_times(small.records, large.records, fixed={"erp.regions"})
    assert_four_times(small.golden, large.golden, fixed={"region"})
    assert_four_times(small.targets, large.targets, fixed=set())
    growing = {"tax number wrong", "tax number missing", "red invoice", "stale after newer", "full width"}
    assert_four_times(
        {name: small.dirt[name] for name in growing}, {name: large.dirt[name] for name in growing}, fixed=set()
    )


def assert_four_times(small: dict[str, int], large: dict[str, int], fixed: set[str]) -> None:
    assert small.keys() == large.keys()
    for name in (name for name in small.keys() - fixed if small[name] >= 30):
        assert 3 < large[name] / small[name] < 5.2, name
    assert {small[name] for name in fixed} == {large[name] for name in fixed}


def test_files_that_come_again_have_the_same_content(tmp_path: Path) -> None:
    truth: PlantTruth = generate(tmp_path, size=60, seed=1)
    before = contents(tmp_path / "drop")
    taken = tmp_path / "taken"
    (tmp_path / "drop" / "erp").rename(taken)
    (tmp_path / "drop" / "erp").mkdir()

    count = drop_again(tmp_path)

    assert count == 3
    after = contents(tmp_path / "drop")
    assert all(before[name] == digest for name, digest in after.items())
    assert "erp/orders_0001.xml" in after
    assert truth.dirt["file repeated"] >= count

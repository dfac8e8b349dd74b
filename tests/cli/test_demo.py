"""`nave demo`: the example plant from nothing to the proof, and nothing to do the second time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import nave


@pytest.mark.slow
def test_the_demo_proves_its_result_and_has_nothing_to_do_the_second_time(tmp_path: Path) -> None:
    folder = tmp_path / "demo"

    first = nave("demo", folder, "--size", "50")
    second = nave("demo", folder, "--lang", "zh")

    assert (first.status, second.status) == (0, 0)
    proof = next(line for line in first.out.splitlines() if line.startswith("ok  "))
    equal, total = proof.split()[1], proof.split()[3]
    assert equal == total
    assert "Three golden customers" in first.out
    assert "nave why customer/" in first.out
    assert second.out.startswith("无事可做")
    assert (folder / "data/crm/sent").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")

    answer = nave("demo", tmp_path)

    assert answer.status == 5
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]

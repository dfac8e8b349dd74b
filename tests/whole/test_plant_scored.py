"""The plant with scored matching on: companies without a good tax number are found, and none is taken for another."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.whole.harness import Plant, customers, plant, pushing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SIZE, SEED = 120, 3


def test_scores_find_the_companies_that_tax_numbers_hide_and_mix_none(tmp_path: Path) -> None:
    exact, scored = tmp_path / "exact", tmp_path / "scored"
    with plant(exact, size=SIZE, seed=SEED) as one:
        filled(one)
    train = [sys.executable, "-m", "nave.cli", "--hub", str(exact), "match", "train", "customer"]
    subprocess.run(train, check=True, capture_output=True, timeout=120)
    with plant(scored, size=SIZE, seed=SEED) as one:
        shutil.copy(exact / "entities" / "customer.match.json", scored / "entities")
        rules = scored / "entities" / "customer.yaml"
        text = rules.read_text("utf-8")
        rules.write_text(
            text.replace("  exact: [tax_id]\n", "  exact: [tax_id]\n  scored: {link: 0.97, review: 0.75}\n"), "utf-8"
        )
        filled(one)

    assert mixed(exact) == mixed(scored) == []
    assert len(split(exact)) > 10, "nothing for scores to find"
    assert len(split(scored)) <= 3


def filled(one: Plant) -> None:
    """The hub has taken in all there is."""
    running = one.start()
    with pushing(one) as sender:
        sender.join(240)
    running.send_signal(signal.SIGTERM)
    assert running.wait(20) == 0, one.log()
    one.run_until_idle()


def companies(folder: Path) -> list[set[tuple[str, str]]]:
    """Which source records are the same company, as the generator knows it."""
    lines = (folder / "data" / "truth" / "same" / "customer.jsonl").read_text("utf-8").splitlines()
    return [{(system, key) for system, key in json.loads(line)["members"]} for line in lines]


def mixed(folder: Path) -> list[set[tuple[str, str]]]:
    """Golden records of more than one company."""
    company = {member: number for number, members in enumerate(companies(folder)) for member in members}
    return [members for members in customers(folder) if len({company[one] for one in members}) > 1]


def split(folder: Path) -> list[set[tuple[str, str]]]:
    """Companies with more than one golden record."""
    home = {member: number for number, members in enumerate(customers(folder)) for member in members}
    return [members for members in companies(folder) if len({home[one] for one in members if one in home}) > 1]

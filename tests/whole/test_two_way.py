"""Two-way sync ends quiet: whatever users edit, in whatever order it is read and written, all end with the golden record."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core.store import schema as t
from tests.whole.two_way import FIELDS, Company, Rewrite, System, company

_TEXTS = ("Huber", "Meier GmbH", "上海盈硕标牌有限公司", "Kowalski", "Li & Co.", "Ｗｉｄｅ", "a long remark about nothing")


def value(random: Random, name: str, number: int) -> Any:
    """Something for a user to type: mostly new, sometimes what was there before."""
    if name == "credit":
        return {"amount": f"{random.randint(1, 500)}.00", "currency": "CNY"}
    if name == "contacts":
        # One of them is new each time: the same ones in another order would be taken for what the target made of them.
        return [{"name": one} for one in (f"{number} Li", *random.sample(_TEXTS, random.randint(0, 2)))]
    new = random.random() < 0.7
    return f"{number} {random.choice(_TEXTS)}" if new else random.choice(_TEXTS)


def edit(random: Random, system: System, number: int, clock_step: float) -> None:
    """One edit by one user: a new record, or a field of one that is there set, changed or emptied."""
    system.clock.pass_by(clock_step)
    if not system.rows or (len(system.rows) < 40 and random.random() < 0.1):
        system.edit(f"{system.name}{number}", name=value(random, "name", number), phone=str(number))
        return
    key, name = random.choice(sorted(system.rows)), random.choice(FIELDS)
    empty = name != "name" and random.random() < 0.1
    system.edit(key, **{name: None if empty else value(random, name, number)})


def live(company: Company, edits: int, steps: float = 3.0, clock_step: float = 21_600.0) -> None:
    """`edits` edits with, on the average, some `steps` of the machinery in between."""
    random = company.random
    for number in range(edits):
        edit(random, random.choice(list(company.systems.values())), number, clock_step)
        while random.random() < steps / (steps + 1):
            company.act()


def differences(company: Company) -> list[str]:
    """Where a system holds something else than the golden record."""
    golden = company.golden()
    assert len(golden) > 20
    assert not company.rows(sa.select(t.dead_letter.c.id))
    found = []
    for name in company.systems:
        held = company.held(name)
        assert held.keys() == golden.keys(), name
        for number, document in golden.items():
            found += [
                f"{name} {number} {one}: {held[number].get(one)!r}, not {document.get(one)!r}"
                for one in FIELDS
                if held[number].get(one) != document.get(one)
            ]
    return found


def quiet(company: Company) -> bool:
    d = t.delivery.c
    return not company.rows(
        sa.select(d.sink).where(d.present == 1, sa.or_(d.state != t.Due.DELIVERED, d.due_version > d.acked_version))
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_three_systems_end_with_the_golden_record_after_any_edits_in_any_order(tmp_path: Path, seed: int) -> None:
    ends_with_the_golden_record(tmp_path, seed, 500)


@pytest.mark.long
@pytest.mark.parametrize("seed", [3])
def test_three_systems_end_with_the_golden_record_after_ten_thousand_edits(tmp_path: Path, seed: int) -> None:
    ends_with_the_golden_record(tmp_path, seed, 10_000)


def ends_with_the_golden_record(folder: Path, seed: int, edits: int) -> None:
    with company("sqlite:///two_way.db", folder, seed) as one:
        live(one, edits)

        one.settle()

        assert differences(one) == []
        assert quiet(one)
        assert one.findings() == set()
        assert one.versions() < 3 * edits


def capitals(name: str, value: Any) -> Any:
    return value.upper() if name in ("name", "remark") else value


def short(name: str, value: Any) -> Any:
    return value[:12].strip() if name in ("name", "remark") else value


def stamps(name: str, value: Any) -> Any:
    """Adds something each time: no two of its answers are alike."""
    return f"{value}." if name == "grade" else value


@pytest.mark.parametrize(
    ("rewrites", "codes"),
    [
        ({"erp": capitals}, {"NAVE-E110"}),
        ({"nc": short}, {"NAVE-E113"}),
        ({"erp": capitals, "nc": short}, {"NAVE-E110", "NAVE-E113"}),
    ],
)
def test_targets_that_rewrite_are_found_out_and_all_ends_quiet(
    tmp_path: Path, rewrites: dict[str, Rewrite], codes: set[str]
) -> None:
    with company("sqlite:///two_way.db", tmp_path, 5, rewrites) as one:
        live(one, 300)

        one.settle()

        assert quiet(one)
        assert {code for code, _, _ in one.findings()} >= codes
        assert one.versions() < 3 * 300
        untouched = [line for line in differences(one) if " name:" not in line and " remark:" not in line]
        assert untouched == []


def test_a_target_that_never_keeps_what_it_is_told_ends_quiet_with_a_finding(tmp_path: Path) -> None:
    with company("sqlite:///two_way.db", tmp_path, 6, {"erp": stamps}) as one:
        one.systems["crm"].edit("C1", name="Huber", grade="A")

        one.settle()

        assert quiet(one)
        assert one.findings() == {("NAVE-E116", "erp.customers", "grade")}

"""Two-way sync of a database, a web service and a system of files ends quiet, with the same records everywhere."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from nave.core import findings
from nave.core.entities import Document
from nave.core.store import schema as t
from tests.whole.two_way_systems import FIELDS, Company, System, company

_TEXTS = ("Huber", "Meier GmbH", "上海盈硕标牌有限公司", "Li & Co.", "Ｗｉｄｅ", 'a "long" remark, about nothing')


def edited(random: Random, before: Document, number: int) -> Document:
    """What a user makes of a row: one field changed, set or emptied."""
    name = random.choice(FIELDS)
    if name != "name" and random.random() < 0.15:
        return {field: value for field, value in before.items() if field != name}
    return {**before, name: f"{number} {random.choice(_TEXTS)}"}


def edit(random: Random, name: str, system: System, number: int) -> None:
    rows = system.rows
    if not rows or (len(rows) < 40 and random.random() < 0.12):
        system.edit(f"{name}-{number}", {"name": f"{number} {random.choice(_TEXTS)}", "phone": str(number)})
        return
    code = random.choice(sorted(rows))
    system.edit(code, edited(random, rows[code], number))


def live(company: Company, edits: int, steps: float = 2.0) -> None:
    """`edits` edits, six hours apart, with on the average some `steps` of the machinery in between."""
    random = company.random
    for number in range(edits):
        company.clock.pass_by(21_600.0)
        name = random.choice(list(company.systems))
        edit(random, name, company.systems[name], number)
        while random.random() < steps / (steps + 1):
            company.act()


def ends_quiet_and_equal(folder: Path, store: str, seed: int, edits: int) -> None:
    with company(folder, store, seed) as one:
        live(one, edits)

        one.settle()
        versions = one.all(sa.select(sa.func.sum(t.record.c.version)))[0][0]
        again = one.settle()

        golden = one.golden()
        assert len(golden) > 10
        assert {name: dict(system.rows) for name, system in one.systems.items()} == dict.fromkeys(one.systems, golden)
        assert again == 0
        assert versions < 3 * edits
        assert one.all(sa.select(t.dead_letter.c.id)) == []
        with one.hub.store.read() as tx:
            assert [found.code for found in findings.open_findings(tx)] == []


@pytest.mark.slow
@pytest.mark.parametrize("heard_before", [True, False])
def test_a_copy_that_its_users_edit_stays_with_the_record_that_it_was_made_from(tmp_path: Path, heard_before: bool) -> None:
    """Its code, by which a rule would find it, is the hub's word and not the copy's own."""
    with company(tmp_path, "sqlite:///company.db", 3) as one:
        one.systems["erp"].edit("E1", {"name": "Huber", "phone": "1"})
        for act in (Company.read, Company.apply):
            act(one, "erp")
        one.deliver("crm")
        if heard_before:
            one.settle()
        one.clock.pass_by(60.0)

        one.systems["crm"].edit("E1", {"name": "Huber & Co.", "phone": "2"})
        one.settle()

        said = [(code, document["name"], document["phone"]) for code, document in one.golden().items()]
        assert said == [("E1", "Huber & Co.", "2")], "what NC was told is not its own word, much as NC is trusted"
        assert {name: dict(system.rows) for name, system in one.systems.items()} == dict.fromkeys(one.systems, one.golden())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_three_kinds_of_systems_end_quiet_and_equal(tmp_path: Path, seed: int) -> None:
    ends_quiet_and_equal(tmp_path, "sqlite:///company.db", seed, 300)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_three_kinds_of_systems_end_quiet_and_equal_after_ten_thousand_edits(tmp_path: Path) -> None:
    ends_quiet_and_equal(tmp_path, "sqlite:///company.db", 2, 10_000)

"""What a person sees and does about a pass that is held, and about rules that were changed, by the real commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nave.config import load
from nave.core.planning import advance
from nave.workers.build import build_hub, compile_hub
from nave.workers.flows import Hub
from tests.cli.calls import Answer, nave
from tests.cli.tiny import write_hub

_ENTITY = """\
entity: customer
extend: {fields: {secret_grade: {type: text, sensitive: true}}}
identity: {exact: [tax_id]}
survivorship: {name: [erp, shop]}
brakes: {delete: 10%, change: 50%, blank: {secret_grade: 10%}, from: 5}
"""


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """The shop's file is a snapshot now; the erp's mapping is left as it is."""
    folder = write_hub(tmp_path)
    (folder / "entities/customer.yaml").write_text(_ENTITY, "utf-8")
    system = folder / "systems/shop.yaml"
    text = system.read_text("utf-8").replace('pattern: "customers*.csv"', 'pattern: "customers*.csv"\n    snapshot: true')
    system.write_text(text, "utf-8")
    mapping = folder / "mappings/shop/customer.yaml"
    text = mapping.read_text("utf-8").replace("secret_grade: {const: gold}", 'secret_grade: GRADE | none_if("")')
    mapping.write_text(text, "utf-8")
    (folder / "drop").mkdir()
    return folder


def drop(hub: Path, name: str, keys: range, grade: str = "gold") -> None:
    rows = [f"S{number},Customer {number},T-{number},A,2026-11-01 10:00:00,{grade}" for number in keys]
    text = "\n".join(["CODE,NAME,TAX,STATUS,CHANGED,GRADE", *rows, ""])
    (hub / "drop" / f"customers_{name}.csv").write_text(text, "utf-8")


@contextmanager
def built(hub: Path) -> Iterator[Hub]:
    config = load(hub).config
    assert config is not None
    made = build_hub(config, compile_hub(config), deaf=True)
    yield made
    made.store.close()


def run(hub: Path) -> Answer:
    return nave("run", "--until-idle", "--no-http", hub=hub)


def customers(hub: Path) -> int:
    return int(nave("status", "--json", hub=hub).data["entities"].get("customer", 0))


def test_a_snapshot_that_goes_too_far_is_held_shown_and_released(hub: Path) -> None:
    drop(hub, "1", range(2, 22))
    assert run(hub).status == 0
    before = customers(hub)
    drop(hub, "2", range(2, 12), grade="")

    assert run(hub).status == 4

    [held] = nave("holds", "list", "--json", hub=hub).data["holds"]
    assert [one["brake"] for one in held["exceeded"]] == ["delete", "blank"]
    assert (held["deleted"], held["records"], held["file"]) == (10, 10, "customers_2.csv")
    shown = nave("holds", "show", held["id"], hub=hub)
    assert "50.0%" in shown.out
    assert "gold" not in shown.out
    assert "***" in shown.out
    [books] = [one for one in nave("status", "--json", hub=hub).data["sources"] if one["source"] == "shop.customers"]
    assert books["held"] == 20
    assert customers(hub) == before
    assert nave("sync", "shop.customers", hub=hub).status == 4
    assert nave("holds", "release", held["id"], hub=hub).status == 2
    released = nave("holds", "release", held["id"], "--reason", "the shop closed", "--as", "li.wei", hub=hub)
    assert released.status == 0
    assert nave("holds", "discard", held["id"], "--reason", "no", hub=hub).status != 0
    assert run(hub).status == 0
    assert customers(hub) == before - 10
    [settled] = [one for one in nave("holds", "list", "--all", "--json", hub=hub).data["holds"] if one["reason"]]
    assert (settled["state"], settled["settled_by"]) == ("released", "li.wei")


def test_a_discarded_snapshot_leaves_all_as_it_was_and_the_next_one_is_read(hub: Path) -> None:
    drop(hub, "1", range(2, 22))
    run(hub)
    before = customers(hub)
    drop(hub, "2", range(2, 4))
    run(hub)
    [held] = nave("holds", "list", "--json", hub=hub).data["holds"]

    assert nave("holds", "discard", held["id"], "--reason", "half a file", hub=hub).status == 0
    drop(hub, "3", range(2, 21))
    assert run(hub).status == 0

    assert customers(hub) == before - 1
    assert nave("holds", "list", hub=hub).out.strip() == "nothing is held back"
    assert "没有被扣留的内容" in nave("holds", "list", "--lang", "zh", hub=hub).out


def test_another_identity_stops_the_hub_until_it_is_applied_from_a_plan(hub: Path, tmp_path: Path) -> None:
    drop(hub, "1", range(2, 12))
    run(hub)
    entity = hub / "entities/customer.yaml"
    entity.write_text(_ENTITY.replace("[tax_id]", "[name]"), "utf-8")

    stopped = run(hub)
    assert (stopped.status, "NAVE-E130" in stopped.err) == (1, True)
    file = tmp_path / "change.json"
    planned = nave("plan", "-f", file, "--detailed-exitcode", "--json", hub=hub)

    assert planned.status == 4
    [change] = planned.data["plan"]["entities"]
    assert (change["entity"], change["merges"], change["records"]) == ("customer", 0, 12)
    assert nave("apply", hub=hub).status == 5
    assert nave("apply", file, hub=hub).status == 0
    assert run(hub).status == 0
    assert "the store is as the rules of the folder say" in nave("plan", hub=hub).out


def test_a_killed_apply_goes_on_without_asking_again_but_not_to_yet_other_rules(hub: Path) -> None:
    drop(hub, "1", range(2, 12))
    run(hub)
    entity = hub / "entities/customer.yaml"
    entity.write_text(_ENTITY.replace("[tax_id]", "[name]"), "utf-8")
    with built(hub) as half:
        advance(half.store, half.entities["customer"], 1.0, half.ids, at_once=5)

    stopped = run(hub)
    entity.write_text(_ENTITY.replace("[tax_id]", "[phone]"), "utf-8")
    other = nave("apply", hub=hub)
    entity.write_text(_ENTITY.replace("[tax_id]", "[name]"), "utf-8")
    gone_on = nave("apply", hub=hub)

    assert (stopped.status, "NAVE-E136" in stopped.err) == (1, True)
    assert (other.status, "NAVE-E137" in other.err) == (5, True)
    assert gone_on.status == 0
    assert run(hub).status == 0


def test_a_plan_of_other_rules_or_of_an_older_store_is_not_applied(hub: Path, tmp_path: Path) -> None:
    drop(hub, "1", range(2, 12))
    run(hub)
    entity = hub / "entities/customer.yaml"
    entity.write_text(_ENTITY.replace("[erp, shop]", "[shop, erp]"), "utf-8")
    file = tmp_path / "change.json"
    nave("plan", "-f", file, hub=hub)

    entity.write_text(_ENTITY.replace("[erp, shop]", "longest"), "utf-8")
    other_rules = nave("apply", file, hub=hub)
    entity.write_text(_ENTITY.replace("[erp, shop]", "[shop, erp]"), "utf-8")
    drop(hub, "2", range(2, 13))
    run(hub)
    other_store = nave("apply", file, hub=hub)

    assert (other_rules.status, "NAVE-E133" in other_rules.err) == (1, True)
    assert (other_store.status, "NAVE-E133" in other_store.err) == (1, True)


def test_another_way_of_telling_a_target_makes_due_what_it_changes_and_nothing_else(hub: Path) -> None:
    drop(hub, "1", range(2, 12))
    run(hub)
    mapping = hub / "mappings/erp/customer-out.yaml"
    text = mapping.read_text("utf-8").replace("NAME: name", """NAME: 'name | replace("Customer 2", "Two")'""")
    mapping.write_text(text, "utf-8")
    before = told(hub)

    planned = nave("plan", "--json", hub=hub)

    [sink] = planned.data["plan"]["sinks"]
    assert (sink["sink"], sink["exact"], sink["deliveries"]) == ("erp.customers_out", True, 1)
    assert nave("apply", "--yes", hub=hub).status == 0
    assert run(hub).status == 0
    after = told(hub)
    assert {name for name, _ in before ^ after} == {"Customer 2", "Two"}
    assert nave("plan", "--json", hub=hub).data["plan"]["rules"] == {}


def told(hub: Path) -> set[tuple[object, object]]:
    """Names and versions in the target."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(hub / "erp.db")) as database:
        return set(database.execute("SELECT NAME, VERSION FROM IF_CUSTOMER").fetchall())

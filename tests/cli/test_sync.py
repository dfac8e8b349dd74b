"""`nave sync`: one source now, with a receipt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import nave, start, until
from tests.cli.tiny import rows_of

_FILE = "CODE,NAME,TAX,STATUS,CHANGED\nS1,A,,A,2026-11-01 10:00:00\nS2,B,,Q,2026-11-01 10:00:00\n"


def test_a_receipt_tells_what_came_and_what_became_of_it(hub: Path) -> None:
    first = nave("sync", "erp.customers", "--json", hub=hub)
    again = nave("sync", "erp.customers", "--full", "--json", hub=hub)

    assert (first.status, again.status) == (0, 0)
    assert first.data["counts"] == {
        "received": 2,
        "applied": 2,
        "unchanged": 0,
        "superseded": 0,
        "waiting": 0,
        "held": 0,
        "dead": 0,
    }
    assert first.data["sinks"]["erp.customers_out"]["skipped"] == 2
    assert (again.data["counts"]["received"], again.data["counts"]["unchanged"]) == (2, 2)
    assert again.data["sinks"] == {}


def test_a_file_is_put_into_the_folder_read_and_delivered(hub: Path, tmp_path: Path) -> None:
    file = tmp_path / "customers_7.csv"
    file.write_text(_FILE, encoding="utf-8")

    answer = nave("sync", "shop.customers", "--file", file, hub=hub)

    assert answer.status == 4
    assert answer.out.splitlines()[1].split() == ["shop.customers", "2", "1", "-", "-", "-", "-", "1"]
    assert "nave dead list --flow shop.customers" in answer.out
    assert [row[2] for row in rows_of(hub, "IF_CUSTOMER")] == ["A"]
    assert file.exists()
    assert [path.name for path in (hub / "drop").rglob("customers_7.csv")] == ["customers_7.csv"]


def test_what_cannot_be_synced_is_refused_with_a_reason(hub: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "other.csv"
    wrong.write_text(_FILE, encoding="utf-8")

    unknown = nave("sync", "shop.custmers", hub=hub)
    pushed = nave("sync", "crm.customers", hub=hub)
    misnamed = nave("sync", "shop.customers", "--file", wrong, hub=hub)
    no_files = nave("sync", "erp.customers", "--file", wrong, hub=hub)

    assert [one.status for one in (unknown, pushed, misnamed, no_files)] == [2, 2, 2, 2]
    assert "did you mean: shop.customers" in unknown.err
    assert "/events/crm.customers" in pushed.err
    assert "its pattern is customers*.csv" in misnamed.err
    assert "does not read files" in no_files.err


def test_a_waiting_file_is_never_overwritten(hub: Path, tmp_path: Path) -> None:
    (hub / "drop").mkdir()
    (hub / "drop/customers_7.csv").write_text("there before", encoding="utf-8")
    file = tmp_path / "customers_7.csv"
    file.write_text(_FILE, encoding="utf-8")

    answer = nave("sync", "shop.customers", "--file", file, hub=hub)

    assert answer.status == 5
    assert (hub / "drop/customers_7.csv").read_text(encoding="utf-8") == "there before"


def test_nothing_new_is_said_so(hub: Path) -> None:
    answer = nave("sync", "shop.customers", hub=hub)

    assert answer.status == 0
    assert answer.out.startswith("shop.customers had nothing new.")


@pytest.mark.slow
def test_while_a_hub_runs_the_records_are_only_landed_and_the_hub_does_the_rest(hub: Path, tmp_path: Path) -> None:
    file = tmp_path / "customers_7.csv"
    file.write_text(_FILE, encoding="utf-8")

    with start("run", "--no-http", "--poll", "0.1", hub=hub) as process:
        until(lambda: (hub / "nave.db").exists() and nave("status", "--json", hub=hub).data["entities"].get("customer") == 2)
        answer = nave("sync", "erp.customers", "--full", "--json", hub=hub)
        until(lambda: nave("status", "--json", hub=hub).data["sources"][-1]["pending"] == 0)
        process.terminate()
        process.communicate(timeout=20)

    assert answer.status == 0
    assert answer.data["landed_only"]
    assert answer.data["landed"]["records"] == 2


_ORDERS = {
    "hub.yaml": "hub: joined\nstore: sqlite:///nave.db\n",
    "systems/erp.yaml": """\
system: erp
connections:
  drop: {type: files, url: ./drop/erp}
sources:
  orders:
    entity: order
    from: drop
    mapping: erp/order
    ready: {quiet: 1ms}
    pattern: "ORD_{run}_head.csv"
    format: {type: csv}
    join: {file: "ORD_{run}_lines.csv", by: "NO"}
""",
    "mappings/erp/order.yaml": """\
mapping: erp/order
from: erp.orders
to: order
key: "NO"
fields:
  number: "NO"
  customer: {key: BUYER}
  date: DAY | date
  lines:
    each: lines
    fields: {line: item.LINE, product: {key: item.CODE}, quantity: {value: item.QTY, unit: "'PCS'"}}
""",
}


def test_a_head_file_is_put_there_with_the_line_file_beside_it(tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    for name, text in _ORDERS.items():
        (hub / name).parent.mkdir(parents=True, exist_ok=True)
        (hub / name).write_text(text, encoding="utf-8")
    head, lines = tmp_path / "ORD_7_head.csv", tmp_path / "ORD_7_lines.csv"
    head.write_text("NO,BUYER,DAY\nA1,C1,2026-11-01\nA2,C1,2026-11-02\n", encoding="utf-8")

    alone = nave("sync", "erp.orders", "--file", head, hub=hub)
    lines.write_text("NO,LINE,CODE,QTY\nA1,1,P1,2\nA1,2,P2,1\n", encoding="utf-8")
    reversed_ = nave("sync", "erp.orders", "--file", lines, hub=hub)
    both = nave("sync", "erp.orders", "--file", head, "--json", hub=hub)

    assert (alone.status, reversed_.status) == (2, 2)
    assert "ORD_7_lines.csv is not beside it" in alone.err
    assert "its pattern is ORD_{run}_head.csv" in reversed_.err
    assert (both.data["landed"]["records"], both.data["counts"]["dead"]) == (2, 0)
    shown = nave("show", "order/A1", "--json", hub=hub)
    assert [one["line"] for one in shown.data["records"][0]["document"]["lines"]] == ["1", "2"]

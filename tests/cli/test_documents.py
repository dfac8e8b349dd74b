"""Bills of materials, the page around a record and the waiting room on the command line and over HTTP, in both languages."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from nave.api.door import door
from nave.api.looks import look_routes
from nave.api.serving import serving
from nave.cli.looks import looks
from nave.config import load
from nave.core.store import open_store
from tests.cli.calls import nave

FILES = {
    "hub.yaml": "hub: papers\n",
    "entities/invoice.yaml": "entity: invoice\nwait: {escalate: 1ms}\n",
    "entities/bom.yaml": "entity: bom\nreferences: {wait: placeholders}\n",
    "mappings/erp/product.yaml": """
        mapping: erp/product
        from: erp.products
        to: product
        key: CODE
        fields: {code: CODE, name: NAME}
    """,
    "mappings/erp/customer.yaml": """
        mapping: erp/customer
        from: erp.customers
        to: customer
        key: CODE
        fields: {code: CODE, name: NAME}
    """,
    "mappings/erp/bom.yaml": """
        mapping: erp/bom
        from: erp.boms
        to: bom
        key: CODE
        fields:
          code: CODE
          kind: {const: production}
          product: {key: OF}
          lines:
            each: LINES
            fields: {component: {key: PART}, quantity: {value: QTY | decimal, unit: {const: 件}}}
    """,
    "mappings/erp/invoice.yaml": """
        mapping: erp/invoice
        from: erp.invoices
        to: invoice
        key: NO
        fields:
          number: NO
          customer: {key: CUST}
          date: DAY | date
          total: {amount: TOTAL | decimal, currency: {const: CNY}}
          lines:
            each: LINES
            fields: {product: {key: PART}, net: {amount: NET | decimal, currency: {const: CNY}}}
    """,
}
_SOURCES = {"products": "product", "customers": "customer", "boms": "bom", "invoices": "invoice"}
DATA = {
    "products": [{"CODE": code, "NAME": f"机床 {code}"} for code in ("P1", "P2", "P3", "P4")],
    "customers": [{"CODE": "C1", "NAME": "上海机床"}],
    "boms": [
        {"CODE": "B1", "OF": "P1", "LINES": [{"PART": "P2", "QTY": "2"}, {"PART": "P9", "QTY": "0.5"}]},
        {"CODE": "B2", "OF": "P2", "LINES": [{"PART": "P3", "QTY": "3"}]},
        {"CODE": "B4", "OF": "P4", "LINES": [{"PART": "P4", "QTY": "1"}]},
    ],
    "invoices": [
        {"NO": "F1", "CUST": "C1", "DAY": "2026-11-01", "TOTAL": "10.10", "LINES": [{"PART": "P1", "NET": "9.00"}]},
        {"NO": "F2", "CUST": "C1", "DAY": "2026-11-02", "TOTAL": "5.00", "LINES": [{"PART": "NOBODY", "NET": "4.00"}]},
    ],
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub that has run on a few bills and invoices."""
    folder = tmp_path_factory.mktemp("papers")
    sources = "".join(
        f"  {name}: {{entity: {entity}, from: drop, pattern: '{name}.json', format: {{type: json}}, "
        f"ready: {{quiet: 1ms}}, mapping: erp/{entity}}}\n"
        for name, entity in _SOURCES.items()
    )
    head = "system: erp\ntime_zone: Asia/Shanghai\nconnections:\n  drop: {type: files, url: ./drop}\nsources:\n"
    for name, text in {**FILES, "systems/erp.yaml": head + sources}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text), "utf-8")
    (folder / "drop").mkdir()
    for name, records in DATA.items():
        (folder / "drop" / f"{name}.json").write_text(json.dumps(records, ensure_ascii=False), "utf-8")
    assert nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=folder).status == 0
    return folder


def test_a_bill_is_exploded_with_what_nobody_has_told_marked(hub: Path) -> None:
    english = nave("bom", "explode", "P1", "--quantity", "1.5", hub=hub, environ={"COLUMNS": "100"})
    chinese = nave("bom", "explode", "P1", "--lang", "zh", hub=hub, environ={"COLUMNS": "100"})

    assert english.out.splitlines() == [
        "P1  机床 P1  1.5 by B1 (production, revision -)",
        "COMPONENT  NAME                  REV  EACH  WITH SCRAP  UNIT  BILL",
        "P2         机床 P2                       2           3  件    B2",
        "  P3       机床 P3                       3           9  件",
        "P9         (nobody has told it)        0.5        0.75  件",
    ]
    assert "P9    （尚无系统报送）  " in chinese.out


def test_the_same_as_data_summed_and_cut(hub: Path) -> None:
    whole = nave("--json", "bom", "explode", "product/P1", hub=hub).data
    total = nave("--json", "bom", "explode", "B1", "--summed", hub=hub).data
    cut = nave("--json", "bom", "explode", "bom/B1", "--levels", "1", hub=hub).data

    assert [(line["level"], line["component"], line["total"], line["known"]) for line in whole["lines"]] == [
        (1, "P2", "2", True),
        (2, "P3", "6", True),
        (1, "P9", "0.5", False),
    ]
    assert {one["component"]: (one["total"], one["made"]) for one in total["components"]} == {
        "P2": ("2", True),
        "P3": ("6", False),
        "P9": ("0.5", False),
    }
    assert len(cut["lines"]) == 2


def test_where_a_product_is_used_and_how_two_bills_differ(hub: Path) -> None:
    used = nave("--json", "bom", "where-used", "P3", hub=hub).data
    compared = nave("--json", "bom", "compare", "B2", "B1", hub=hub).data

    assert [(one["level"], one["component"], one["product"]) for one in used["uses"]] == [(1, "P3", "P2"), (2, "P2", "P1")]
    assert [(one["change"], one["component"]) for one in compared["changes"]] == [
        ("added", "P2"),
        ("removed", "P3"),
        ("added", "P9"),
    ]
    assert "Both need the same." in nave("bom", "compare", "B1", "P1:production", hub=hub).out


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["bom", "explode", "P4"], 1, "NAVE-E122"),
        (["bom", "explode", "nobody"], 1, "NAVE-E204"),
        (["bom", "explode", "P3"], 1, "NAVE-E121"),
        (["bom", "explode", "P1", "--quantity", "many"], 1, "NAVE-E128"),
        (["bom", "explode", "P1", "--quantity", "nan"], 1, "NAVE-E128"),
        (["bom", "where-used", "nobody"], 1, "NAVE-E204"),
        (["around", "order/1"], 2, "NAVE-E129"),
        (["around", "customer/nobody"], 1, "NAVE-E204"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_cannot_be_shown_is_refused_by_its_code(
    hub: Path, arguments: list[str], status: int, code: str, language: str
) -> None:
    answer = nave(*arguments, "--lang", language, hub=hub)

    assert (answer.status, answer.out) == (status, "")
    assert code in answer.err
    assert "{" not in answer.err


def test_a_page_around_a_customer_has_the_invoices_and_what_is_open(hub: Path) -> None:
    data = nave("--json", "around", "customer/C1", hub=hub).data["records"][0]
    page = nave("around", "customer/C1", "--lang", "zh", hub=hub).out

    assert data["balance"] == [{"currency": "CNY", "invoiced": "15.1", "paid": "0", "written_off": "0", "open": "15.1"}]
    assert [one["number"] for one in data["papers"]["invoice"]["documents"]] == ["F2", "F1"]
    assert "应收余额" in page
    assert "发票（共 2 条）" in page


def test_the_waiting_room_names_waits_placeholders_and_what_was_noticed(hub: Path) -> None:
    data = nave("--json", "waiting", hub=hub).data
    page = nave("waiting", hub=hub).out
    chinese = nave("waiting", "--lang", "zh", hub=hub).out

    missing = {one["key"]: one for one in data["missing"]}
    assert (missing["NOBODY"]["waiters"], missing["NOBODY"]["held"]) == (["invoice/F2"], 1)
    assert (missing["P9"]["waiters"], missing["P9"]["held"]) == (["bom/B1"], 0)
    assert all(one["seconds"] >= 0 for one in missing.values())
    assert {one["code"] for one in data["noticed"]} == {"NAVE-E122", "NAVE-E125"}
    assert "bom/B1 (sent with placeholders)" in page
    assert "contains itself: P4 > P4" in page
    assert "1 条 invoice 记录自" in chinese


def test_the_state_tells_that_something_was_noticed(hub: Path) -> None:
    assert nave("--json", "status", hub=hub).data["noticed"] == {"late": 1, "circles": 0, "loops": 1, "missing": 0}
    assert "1 waits too long" in nave("status", hub=hub).out
    assert "等待超期 1 项" in nave("status", "--lang", "zh", hub=hub).out


def test_placeholders_and_every_version_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "entities").mkdir()
    (tmp_path / "hub.yaml").write_text("hub: x\n")
    (tmp_path / "entities/bom.yaml").write_text("entity: bom\ndeliver: every_version\nreferences: {wait: placeholders}\n")

    answer = nave("check", hub=tmp_path)

    assert answer.status == 1
    assert "entities/bom.yaml:3" in answer.out + answer.err
    assert "NAVE-E120" in answer.out + answer.err


# --- over HTTP ---------------------------------------------------------------------------------------------------


@contextmanager
def served(hub: Path, token: bytes | None = None) -> Iterator[int]:
    config = load(hub).config
    assert config is not None
    store = open_store(config.store, hub)

    async def nothing_lands(*_: object) -> int:
        raise AssertionError

    application = door({}, nothing_lands, dict, token=token, more=look_routes(looks(config, store), token))
    try:
        with serving(application, "127.0.0.1", 0) as port:
            yield port
    finally:
        store.close()


def asked(port: int, path: str, **headers: str) -> tuple[int, dict[str, object]]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_the_same_is_answered_over_http(hub: Path) -> None:
    with served(hub) as port:
        around = asked(port, "/customer/C1/around?limit=1")
        exploded = asked(port, "/product/P1/explode?quantity=2&levels=1")
        summed = asked(port, "/bom/B1/explode?summed=1")
        used = asked(port, "/product/P3/where-used")

    assert around[0] == 200
    assert around[1]["records"][0]["papers"]["invoice"]["count"] == 2  # type: ignore[index]
    assert [line["total"] for line in exploded[1]["lines"]] == ["4", "1"]  # type: ignore[attr-defined]
    assert len(summed[1]["components"]) == 3  # type: ignore[arg-type]
    assert [one["bom"] for one in used[1]["uses"]] == ["B2", "B1"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/customer/nobody/around", 404, "NAVE-E204"),
        ("/order/1/around", 404, "NAVE-E129"),
        ("/nothing/1/around", 404, "NAVE-E129"),
        ("/customer/C1/explode", 404, "NAVE-E129"),
        ("/product/P3/explode", 404, "NAVE-E121"),
        ("/product/P4/explode", 422, "NAVE-E122"),
        ("/product/P1/explode?quantity=x", 422, "NAVE-E128"),
    ],
)
def test_what_cannot_be_shown_is_a_problem_with_its_code(hub: Path, path: str, status: int, code: str) -> None:
    with served(hub) as port:
        answer = asked(port, path, Accept_Language="zh")

    assert (answer[0], answer[1]["code"]) == (status, code)


def test_others_than_this_machine_show_the_token(hub: Path) -> None:
    with served(hub, token=b"secret") as port:
        refused = asked(port, "/customer/C1/around", X_Forwarded_For="10.0.0.9")
        wrong = asked(port, "/customer/C1/around", X_Forwarded_For="10.0.0.9", Authorization="Bearer no")
        shown = asked(port, "/customer/C1/around", X_Forwarded_For="10.0.0.9", Authorization="Bearer secret")

    assert (refused[0], wrong[0], shown[0]) == (401, 401, 200)

"""The shipped mappings on files as the systems write them: read in their encoding, mapped, checked, field by field."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import TypeAdapter

from nave.config import parse
from nave.core.entities import decode, encode, shipped
from nave.core.errors import NaveError
from nave.formats import Format, XmlFormat, read
from nave.mappings import (
    Inbound,
    Mapped,
    MappingSpec,
    Part,
    ValueTable,
    compile_inbound,
    extended,
    shipped_names,
    shipped_text,
)
from tests.mappings.setting import SHANGHAI
from tests.mappings.test_shipped import compiled, contents, parts_of

FOLDER = Path(__file__).parent / "samples"
LARGEST = 4_096


def samples() -> list[dict[str, Any]]:
    """The list beside the files."""
    document, problems = parse("samples.yaml", (FOLDER / "samples.yaml").read_text(encoding="utf-8"))
    assert problems == []
    listed: list[dict[str, Any]] = document.data
    return listed


def rows(sample: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of a sample, out of the bytes that a system would send."""
    data = (FOLDER / sample["file"]).read_text(encoding="utf-8").encode(sample.get("bytes", "utf-8"))
    options: Any = TypeAdapter(Format).validate_python(sample["format"])
    values = [row.value for row in read(BytesIO(data), options)]
    assert all(isinstance(value, dict) for value in values), values
    return cast("list[dict[str, Any]]", values)


def canonical(sample: dict[str, Any]) -> dict[str, Any]:
    """Key -> document of every record of a sample, as the hub would store it."""
    mapping = compiled(sample["mapping"])
    assert isinstance(mapping, Inbound)
    entity = shipped()[contents(sample["mapping"], shipped_text(sample["mapping"]))["to"]]
    records = rows(sample)
    if "part" in sample:
        mapping = parts_of(sample["mapping"])[sample["part"]]
        entity, records = mapping.entity, [one for record in records for one in mapping.split(record)]
    found: dict[str, Any] = {}
    for record in records:
        (mapped,) = mapping.run_wanted([record]) if isinstance(mapping, Part) else mapping.run([record])
        assert isinstance(mapped, Mapped), (mapped.field, mapped.text()) if isinstance(mapped, NaveError) else mapped
        (document,) = entity.validate([mapped.values])
        assert isinstance(document, dict), (document.field, document.text())
        stored = decode(encode(document))
        assert found.setdefault(mapped.key, stored) == stored, "one key, two contents"
    return found


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample["file"] + ":" + sample["mapping"])
def test_a_sample_becomes_what_is_written_beside_it(sample: dict[str, Any]) -> None:
    found = canonical(sample)

    assert list(found) == list(sample["expect"])
    for key, expected in sample["expect"].items():
        assert {name: found[key].get(name) for name in expected} == dict(expected), key


@pytest.mark.slow
def test_every_mapping_on_the_way_in_has_a_sample_that_stays_small() -> None:
    inbound = {name for name in shipped_names() if isinstance(compiled(name), Inbound)}

    assert inbound == {sample["mapping"] for sample in samples()}
    assert all((FOLDER / sample["file"]).stat().st_size < LARGEST for sample in samples())


ROWS = {
    "nave/nc/receivable-f0": "billhead/bodys/item",
    "nave/nc/invoice-32": "billhead/csaleinvoicebid/item",
    "nave/nc/order-30": "billhead/csaleorderbid/item",
    "nave/nc/shipment-4c": "billhead/cgeneralbid/item",
    "nave/u8/sales-order": "body/entry",
    "nave/sap/orders": "E1EDP01",
    "nave/sap/invoic": "E1EDP01",
    "nave/ubl/invoice": "InvoiceLine",
    "nave/ubl/order": "OrderLine",
    "nave/vat/e-invoice": "EInvoiceData/IssuItemInformation",
    "nave/pdm/ebom-table": "lines",
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("left", ["nothing", "null", "empty text"])
def test_a_document_that_lost_its_rows_is_refused(name: str, left: str) -> None:
    sample = next(sample for sample in samples() if sample["mapping"] == name)
    mapping = compiled(name)
    *way, last = ROWS[name].split("/")
    (record, *_) = rows(sample)
    place = record
    for step in way:
        place = place[step]
    place.pop(last)
    place.update({"nothing": {}, "null": {last: None}, "empty text": {last: ""}}[left])

    (refused,) = mapping.run([record])

    assert isinstance(refused, NaveError), refused


INVOICE = {
    "number": "INV1",
    "date": date(2026, 11, 21),
    "customer": {"system": "nc", "key": "000118"},
    "total": {"amount": Decimal("-113.00"), "currency": "CNY"},
    "lines": [
        {
            "product": {"system": "nc", "key": "0300.010"},
            "quantity": {"value": Decimal(-2), "unit": "EA"},
            "net": {"amount": Decimal("-100.00"), "currency": "CNY"},
            "tax": {"amount": Decimal("-13.00"), "currency": "CNY"},
            "tax_rate": Decimal("0.13"),
        }
    ],
}
ORDER = {
    "number": "0000000117",
    "date": date(2026, 11, 2),
    "customer": {"system": "u8", "key": "000118"},
    "total": {"amount": Decimal("1130.00"), "currency": "USD"},
    "remark": "加急 <喆>",
    "lines": [
        {
            "line": "1",
            "product": {"system": "u8", "key": "0300.010"},
            "quantity": {"value": Decimal("20"), "unit": "H87"},
            "price": {"amount": Decimal("56.5"), "currency": "USD"},
            "amount": {"amount": Decimal("1130.00"), "currency": "USD"},
            "due": date(2026, 12, 1),
        }
    ],
}


@pytest.mark.parametrize(
    ("out", "back", "record", "document", "same"),
    [
        ("nave/nc/receivable-f0-out", "nave/nc/receivable-f0", "bill", INVOICE, ("customer", "date", "total")),
        ("nave/u8/sales-order-out", "nave/u8/sales-order", "saleorder", ORDER, tuple(ORDER)),
    ],
)
def test_what_is_written_for_a_system_reads_back_as_what_it_was(
    out: str, back: str, record: str, document: dict[str, Any], same: tuple[str, ...]
) -> None:
    outbound, inbound = compiled(out), compiled(back)
    assert isinstance(inbound, Inbound)

    (written,) = outbound.run([document])
    assert isinstance(written, dict), written
    (row,) = read(BytesIO(written["document"].encode()), XmlFormat(record=record))
    assert isinstance(row.value, dict)
    (mapped,) = inbound.run([row.value])

    assert isinstance(mapped, Mapped), mapped
    assert {name: mapped.values.get(name) for name in same} == {name: document[name] for name in same}
    line = mapped.values["lines"][0]
    assert {name: line[name] for name in ("product", "quantity")} == {
        name: document["lines"][0][name] for name in ("product", "quantity")
    }


@pytest.mark.parametrize("page", ["docs/mappings-library.md", "docs/zh-CN/mappings-library.md"])
def test_the_page_of_the_library_lists_every_mapping_and_no_other(page: str) -> None:
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(nave/[^`]+)`", text, re.MULTILINE)) == set(shipped_names())


def test_the_example_of_the_page_takes_over_all_that_it_does_not_say() -> None:
    page = (Path(__file__).parents[2] / "docs/mappings-library.md").read_text(encoding="utf-8")
    own = contents("example", page.partition("```yaml\n")[2].partition("```")[0])
    base = {own["extends"]: contents(own["extends"], shipped_text(own["extends"]))}
    spec = MappingSpec.model_validate(extended(own, base.get))
    tables = {"order_status": ValueTable.from_rows("order_status", [{"from": "2", "to": "approved"}])}
    mapping = compile_inbound(spec, shipped()["order"], system="nc", time_zone=SHANGHAI, tables=tables)
    (record, *_) = rows(next(sample for sample in samples() if sample["mapping"] == own["extends"]))

    (mapped,) = mapping.run([record])

    assert isinstance(mapped, Mapped), mapped
    assert mapped.key == "1001A3100000000B001"
    assert mapped.values["status"] == "approved"
    assert "remark" not in mapped.values
    assert [line["line"] for line in mapped.values["lines"]] == ["10", "20"]

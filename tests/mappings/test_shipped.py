"""The mappings that ship with Nave: each compiles, passes the cases beside it, and leaves nothing unread or untested."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from nave.config import parse
from nave.core.entities import shipped
from nave.formats import XmlFormat, read
from nave.mappings import (
    Inbound,
    Mapped,
    MappingSpec,
    OutboundMapping,
    Part,
    TestFile,
    compile_inbound,
    compile_outbound,
    compile_parts,
    extended,
    run_case,
    shipped_names,
    shipped_tests,
    shipped_text,
    untested,
)
from nave.mappings.lineage import unread
from tests.mappings.setting import SHANGHAI


def contents(name: str, text: str | None) -> Any:
    assert text, name
    document, problems = parse(name, text)
    assert problems == []
    return document.data


def compiled(name: str, own: dict[str, Any] | None = None) -> Inbound | OutboundMapping:
    data = contents(name, shipped_text(name))
    spec = MappingSpec.model_validate(extended({**own, "extends": name}, {name: data}.get) if own else data)
    if spec.to in shipped():
        system = spec.origin.partition(".")[0]
        return compile_inbound(spec, shipped()[spec.to], system=system, time_zone=SHANGHAI, tables={})
    return compile_outbound(spec, shipped()[spec.origin], time_zone=SHANGHAI, tables={})


def parts_of(name: str) -> dict[str, Part]:
    spec = MappingSpec.model_validate(contents(name, shipped_text(name)))
    system = spec.origin.partition(".")[0]
    return compile_parts(spec, shipped(), system=system, time_zone=SHANGHAI, tables={})


def test_they_are_found_by_name_and_nothing_else_is() -> None:
    assert len(shipped_names()) >= 5
    assert shipped_text("nave/../spec") is None
    assert shipped_text("nc/customer") is None


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_mapping_passes_the_cases_beside_it(name: str) -> None:
    mapping = compiled(name)
    data = contents(name, shipped_text(name))
    entity = shipped()[data["to"] if isinstance(mapping, Inbound) else data["from"]]
    cases = TestFile.model_validate(contents(name, shipped_tests(name))).cases

    parts = parts_of(name)

    results = [run_case(mapping, entity, case, parts) for case in cases]

    assert data["mapping"] == name
    assert [(one.name, list(one.differences)) for one in results if not one.passed] == []
    assert untested(mapping, cases, parts) == []
    if isinstance(mapping, Inbound):
        used = mapping.used.union(*(part.used for part in parts.values()))
        assert unread([case.given for case in cases], used) == set()


RECEIPT = """<?xml version="1.0" encoding="UTF-8"?>
<ufinterface account="A01" billtype="F2" sender="NAVE"><bill id="F2-1"><billhead><pk_group>G1</pk_group>
<billdate>2026-11-21 00:00:00</billdate><pk_currtype>CNY</pk_currtype><money>1130.00</money><customer>C0001</customer>
<bodys><item><customer>C0001</customer><money_cr>1130.00</money_cr><pk_balatype>12</pk_balatype></item></bodys>
</billhead></bill></ufinterface>"""


def test_a_receipt_as_it_is_written_is_read_and_written_again() -> None:
    (row,) = read(BytesIO(RECEIPT.encode()), XmlFormat(record="bill"))
    inbound, outbound = compiled("nave/nc/receipt-f2"), compiled("nave/nc/receipt-f2-out")

    assert isinstance(inbound, Inbound)
    assert isinstance(row.value, dict)
    (mapped,) = inbound.run([row.value])
    assert isinstance(mapped, Mapped)
    (written,) = outbound.run([mapped.values])
    assert isinstance(written, dict)
    (again,) = read(BytesIO(written["document"].encode()), XmlFormat(record="bill"))

    assert isinstance(again.value, dict)
    assert inbound.run([again.value])[0].values["amount"] == mapped.values["amount"]  # type: ignore[union-attr]


def test_a_hub_overrides_one_field_deep_inside_without_copying() -> None:
    fields = {"document": {"xml": "ufinterface", "fields": {"@sender": {"const": "PLANT"}, "@account": {"const": "A01"}}}}
    own = {"mapping": "nc/receipt", "from": "payment", "to": "nc.receipts", "fields": fields}
    payment = {
        "number": "P1",
        "date": None,
        "amount": {"amount": 1, "currency": "CNY"},
        "customer": {"system": "nc", "key": "C"},
    }

    (written,) = compiled("nave/nc/receipt-f2-out", own).run([payment])

    assert isinstance(written, dict)
    assert 'sender="PLANT" account="A01"' in written["document"]
    assert "<money>1.00</money>" in written["document"]

"""What a scanned code says, in all the forms that scanners and readers give it; and what is wrong with a wrong one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.errors import PermanentError
from nave.formats.labels import label

GTIN = {"gtin": "06901234567892"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("(01)06901234567892(21)100001", {"form": "gs1", **GTIN, "serial": "100001"}),
        ("]C1010690123456789210LOT7\x1d21S1", {"form": "gs1", **GTIN, "lot": "LOT7", "serial": "S1"}),
        ("]d2\x1d010690123456789221A\x1d17261200", {"form": "gs1", **GTIN, "serial": "A", "expires": "2026-12-31"}),
        ("010690123456789221A1", {"form": "gs1", **GTIN, "serial": "A1"}),
        ("]C100069012340000000016", {"form": "gs1", "sscc": "069012340000000016"}),
        (
            "(02)06901234567892(37)40(400)SO117",
            {"form": "gs1", "content": "06901234567892", "count": "40", "order": "SO117"},
        ),
        ("6901234567892", {"form": "ean", **GTIN}),
        ("96385074", {"form": "ean", "gtin": "00000096385074"}),
        (
            "https://id.gs1.org/01/06901234567892/10/L7/21/100002?17=261231",
            {"form": "link", **GTIN, "lot": "L7", "serial": "100002", "expires": "2026-12-31"},
        ),
        (
            "urn:epc:id:sgtin:6901234.056789.100001",
            {"form": "epc", "epc": "urn:epc:id:sgtin:6901234.056789.100001", **GTIN, "serial": "100001"},
        ),
        (
            "urn:epc:class:lgtin:6901234.056789.L7",
            {"form": "epc", "epc": "urn:epc:class:lgtin:6901234.056789.L7", **GTIN, "lot": "L7"},
        ),
        (
            # The example that the GS1 tag data standard carries through its chapters.
            "3074257BF7194E4000001A85",
            {"form": "tag", "epc": "urn:epc:id:sgtin:0614141.812345.6789", "gtin": "80614141123458", "serial": "6789"},
        ),
        (
            "urn:epc:tag:sgtin-96:3.6901234.056789.17",
            {"form": "epc", "epc": "urn:epc:id:sgtin:6901234.056789.17", **GTIN, "serial": "17"},
        ),
        ("铜管|L7|12.5", {"form": "text"}),
        ("12345", {"form": "text"}),
        ("0042", {"form": "text"}),
    ],
)
def test_a_code_says_what_it_is_of(code: str, expected: dict[str, Any]) -> None:
    assert label(code) == expected


@pytest.mark.parametrize(
    "code",
    [
        "6901234567893",
        "]C10106901234567893",
        "(01)06901234567893(21)1",
        "(00)069012340000000018",
        "https://id.gs1.org/01/06901234567893/21/1",
        "urn:epc:id:sgtin:6901234.56789.1",
        "307C257BF7194E4000001A85",
        "(01)0690123456789",
        "(99",
        "",
    ],
)
def test_a_wrong_code_is_refused_by_name(code: str) -> None:
    with pytest.raises(PermanentError) as refused:
        label(code)

    assert refused.value.code == "NAVE-K376"
    assert refused.value.text("zh")


@given(
    st.text(max_size=60)
    | st.from_regex(r"(\]C1|\(01\)|urn:epc:id:sgtin:|30|https://a/01/)[0-9A-F().:/|%\x1d]{0,40}", fullmatch=True)
)
def test_whatever_is_scanned_is_read_or_refused(code: str) -> None:
    try:
        form = label(code)["form"]
    except PermanentError as error:
        form = error.code

    assert form in {"gs1", "link", "epc", "tag", "ean", "text", "NAVE-K376"}

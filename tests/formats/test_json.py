"""JSON into records, and all the JSON that is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.errors import PermanentError
from nave.formats import JsonFormat, JsonLinesFormat, Limits, loads, unit
from tests.formats.files import Drip, outcome, written

WHOLE = JsonFormat()
LINES = JsonLinesFormat()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":1.10}', {"a": Decimal("1.10")}),
        ("12345678901234567.89", Decimal("12345678901234567.89")),
        ("1e400", Decimal("1E+400")),
        ("-0", 0),
        ("-0.0", Decimal("-0.0")),
        ("1E-2", Decimal("0.01")),
        ("20000000000000000001", 20000000000000000001),
        ('["\\u955c\\ud842\\udfb7", "\\u0000", "\\/\\b"]', ["镜𠮷", "\x00", "/\b"]),
        (" [ ] ", []),
        ('{"":{}}', {"": {}}),
        ("\ufefftrue", True),
        ("null", None),
        ("[" * 64 + "]" * 64, None),
        ('"[[["', "[[["),
        (json.dumps("[" * 100), "[" * 100),
    ],
)
def test_what_json_is(text: str, value: Any) -> None:
    found = loads(text.encode())

    assert value is None or (found == value and type(found) is type(value))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((text, "NAVE-D130") for text in ("", " ", "{", "[1,]", "[,1]", '{"a":1,}', "{'a':1}", "{a:1}", "[1 2]")),
        *((text, "NAVE-D130") for text in ("01", "+1", "1.", ".5", "1e", "0x1", "１", "- 1", "1_0", "tru", "True", "nul")),
        *((text, "NAVE-D130") for text in ('"\t"', '"\n"', '"\\x41"', '"\\u12"', '"\\u12g4"', '"a', "'a'", '"\x1f"')),
        *(
            (text, "NAVE-D130")
            for text in ("[1]x", "{} {}", "[1]//c", "/**/1", "[\x0c1]", "[\u00a01]", "\ufeff\ufeff1", '{"a"}')
        ),
        *(
            (text, "NAVE-D130")
            for text in ('{"a" 1}', "{1:2}", "{null:1}", "[1}", "]", "}", '{"a":}', '["a":1]', "nan", "inf")
        ),
        ('{"a":1,"b":{"c":1,"c":2}}', "NAVE-D131"),
        ('{"a":1,"\\u0061":2}', "NAVE-D131"),
        ("NaN", "NAVE-D132"),
        ("[-Infinity]", "NAVE-D132"),
        ('{"a":Infinity}', "NAVE-D132"),
        ("[" * 65 + "]" * 65, "NAVE-D133"),
        ('{"a":' * 65 + "1" + "}" * 65, "NAVE-D133"),
        ("[" * 100_000, "NAVE-D133"),
        ("[" * 100_000 + "]" * 100_000, "NAVE-D133"),
        ('[{"a":' * 50_000, "NAVE-D133"),
        ("1" * 1001, "NAVE-D134"),
        ("1" * 5000, "NAVE-D134"),
        ("1e1001", "NAVE-D134"),
        ("1e999999999999999999999999", "NAVE-D134"),
        ("0." + "1" * 1000, "NAVE-D134"),
        ("{" + ",".join(f'"{n}":1' for n in range(10_001)) + "}", "NAVE-D135"),
        ('["\\ud842"]', "NAVE-D136"),
        ('{"\\udc00":1}', "NAVE-D136"),
        ('["\\udfb7\\ud842"]', "NAVE-D136"),
    ],
)
def test_what_json_is_not(text: str, code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        loads(text.encode("utf-8"))

    assert caught.value.code == code
    assert "{near}" not in caught.value.text() + caught.value.text("zh")


@pytest.mark.parametrize("data", [b'"\xff"', b'["\xed\xa0\x80"]', b'"\xc0\xaf"', "{}".encode("utf-16"), b'"\xe5\xa5'])
def test_only_utf8_is_json(data: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        loads(data)

    assert caught.value.code in ("NAVE-D103", "NAVE-D130")


def test_a_syntax_error_has_a_place() -> None:
    with pytest.raises(PermanentError) as caught:
        loads(b'{\n  "a": 1,\n  b: 2}')

    assert (caught.value.params["line"], caught.value.params["column"]) == (3, 3)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False, places=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=3), max_size=5)


@given(RECORDS, st.sampled_from([JsonFormat(), JsonFormat(record="data/items"), LINES]), st.integers(1, 50))
def test_what_is_written_reads_back_the_same(rows: list[Any], options: Any, size: int) -> None:
    data = written(rows, options)

    if rows or options.type == "json":
        assert outcome(Drip(data, size), options)[1] is None
        assert outcome(Drip(data, size), options).values == rows


@pytest.mark.parametrize(
    ("text", "record", "expected"),
    [
        ('[{"a":1},{"a":2}]', "", [{"a": 1}, {"a": 2}]),
        ('{"a":1}', "", [{"a": 1}]),
        ("[]", "", []),
        ('{"n":12,"s":"x]","l":[1,{"items":9}],"data":{"items":[{"a":1}],"z":null},"t":true}', "data/items", [{"a": 1}]),
        ('{"data":{"a":1}}', "data", [{"a": 1}]),
        ('{"data":[]}', "data", []),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_records_lie_at_a_path(text: str, record: str, expected: list[Any], size: int, codec: str) -> None:
    found = outcome(Drip(text.encode(codec), size), JsonFormat(record=record))

    assert (found.values, found.error) == (expected, None)


@pytest.mark.parametrize(
    ("text", "record", "code", "good"),
    [
        ("", "", "NAVE-D101", 0),
        ("<r/>", "", "NAVE-D102", 0),
        ('[{"a":1},{"a":2}', "", "NAVE-D139", 2),
        ('[{"a":1},{"a":2},', "", "NAVE-D139", 2),
        ('[{"a":1},{"a":"cut', "", "NAVE-D139", 1),
        ('[{"a":1},{"a"', "", "NAVE-D139", 1),
        ('[{"a":1} {"a":2}]', "", "NAVE-D130", 1),
        ('[{"a":1},{b:2}]', "", "NAVE-D130", 1),
        ('[{"a":1}] x', "", "NAVE-D130", 1),
        ('[{"a":1},]', "", "NAVE-D130", 1),
        ('{"d":[{"a":1}],"d":[]}', "d", "NAVE-D131", 1),
        ('{"d":[{"a":1}],"e":NaN}', "d", "NAVE-D132", 1),
        ('{"e":1}', "d", "NAVE-D137", 0),
        ("{}", "d", "NAVE-D137", 0),
        ('{"d":[{"a":1}]', "d", "NAVE-D139", 1),
        ("[1,2]", "d", "NAVE-D130", 0),
        ("[" * 100_000, "", "NAVE-D133", 0),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_document_that_cannot_go_on_yields_what_was_good(text: str, record: str, code: str, good: int, size: int) -> None:
    if size == 1 and len(text) > 1000:
        size = 1000

    found = outcome(Drip(text.encode(), size), JsonFormat(record=record))

    assert (len(found.values), found.code) == (good, code)


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        ('{"a":1,"a":2}', "NAVE-D131"),
        ('{"a":NaN}', "NAVE-D132"),
        ('{"a":' + "1" * 1001 + "}", "NAVE-D134"),
        ('{"a":' + "[" * 70 + "]" * 70 + "}", "NAVE-D133"),
        ('{"a":"\\ud842"}', "NAVE-D136"),
        ("[1]", "NAVE-D138"),
        ("12", "NAVE-D138"),
        ("null", "NAVE-D138"),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_a_bad_record_is_refused_alone_in_lists_and_in_lines(bad: str, code: str, size: int) -> None:
    listed = outcome(Drip(f'[{{"n":1}}, {bad} ,{{"n":3}}]'.encode(), size), WHOLE)
    lines = outcome(Drip(f'{{"n":1}}\n{bad}\n{{"n":3}}'.encode(), size), LINES)

    for found in (listed, lines):
        assert found.error is None
        assert found.values == [{"n": 1}, {"n": 3}]
        (refused,) = found.refused
        assert (refused.error.code, refused.raw.strip(), refused.place[0]) == (code, bad, 2)


def test_a_broken_line_is_refused_alone_with_its_line_number() -> None:
    found = outcome(b'{"a":1}\n{"a":\n\n{"a":"\xff"}\n{"a":4}\n', LINES)

    assert found.values == [{"a": 1}, {"a": 4}]
    assert [(one.error.code, one.place) for one in found.refused] == [("NAVE-D130", (2, 8)), ("NAVE-D103", (4, 15))]
    assert found.refused[0].error.params["line"] == 2


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_records_carry_their_byte_offset(size: int) -> None:
    data = '\ufeff[ {"名":"镕"},\n{"名":"二"} , {"n":3}]'.encode()
    lines = '\ufeff{"名":"镕"}\r\n\n{"名":"二"}\n'.encode()

    listed = outcome(Drip(data, size), WHOLE).rows
    lined = outcome(Drip(lines, size), LINES).rows

    assert unit(WHOLE) == "record"
    assert unit(LINES) == "line"
    assert [row.offset for row in listed] == [data.index(b'{"\xe5'), data.rindex(b'{"\xe5'), data.index(b'{"n')]
    assert [(row.number, row.offset) for row in lined] == [(1, 3), (3, lines.rindex(b"{"))]


def test_a_wrong_byte_in_a_list_ends_it_after_the_good_records() -> None:
    data = b"[" + b'{"a":1},' * 50_000 + b'{"a":"\xff"}]'

    found = outcome(data, WHOLE)

    assert len(found.values) == 50_000
    assert found.code == "NAVE-D103"
    assert found.error is not None
    assert found.error.params["offset"] == data.index(b"\xff")


def test_a_record_above_the_limit_is_refused() -> None:
    assert outcome(b'[{"a":"' + b"x" * 400_000 + b'"}]', WHOLE, Limits(record=100_000)).code == "NAVE-D125"
    assert outcome(b'{"a":"' + b"x" * 400_000 + b'"}', LINES, Limits(record=100_000)).code == "NAVE-D125"

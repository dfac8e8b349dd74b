"""Every filter does what its examples say, and refuses what is not clearly what it reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nave.mappings import Example, filters
from tests.mappings.setting import SHANGHAI, codes, error, result

FIRST, LAST = datetime.fromisoformat("1992-01-01"), datetime.fromisoformat("9998-01-01")

EXAMPLES = [
    pytest.param(example, id=f"{row.name}-{example.expression}-{example.record}")
    for row in filters().values()
    for example in row.examples
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_gives_the_result_beside_it(example: Example) -> None:
    outcome = result(example.expression, example.record)

    assert outcome == example.result
    assert type(outcome) is type(example.result)


@pytest.mark.parametrize("name", filters())
def test_a_filter_is_described_in_both_languages_and_has_an_example(name: str) -> None:
    row = filters()[name]

    assert row.en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in row.zh)
    assert row.examples
    assert row.usage.startswith(name)


@pytest.mark.parametrize("name", [name for name, row in filters().items() if row.takes != "anything"])
def test_a_value_that_is_absent_passes_by(name: str) -> None:
    expression = f"A | {filters()[name].usage}".replace("(places)", "(2)").replace("start, stop", "0, 1")
    expression = expression.replace('table("region")', 'table("example")')

    assert result(expression, {"A": None}) is None


def test_text_filters_do_not_guess_how_a_number_is_written() -> None:
    assert error(result("A | upper", {"A": 12})) == ("NAVE-M119", "x")
    assert result("A | text | pad_left(4, '0')", {"A": 12}) == "0012"


DECIMALS = {
    "12": "12",
    "-12.50": "-12.50",
    "1,234,567.8": "1234567.8",
    "￥1,234.50": "1234.50",
    "¥ 8": "8",
    "CNY 1,000": "1000",
    "8.5元": "8.5",
    "1２３．４": "123.4",
    "(1,234.50)": "-1234.50",
    "（12）": "-12",
    "12.5-": "-12.5",
    "+3": "3",
    "-￥5": "-5",
    ".5": "0.5",
    "5.": "5",
    "  7 ": "7",
    "007": "7",
    "rmb 3": "3",
}
RUBBISH = [
    "abc",
    "1 234",
    "12,34",
    "1,2345",
    "1.2.3",
    "1e5",
    "NaN",
    "Infinity",
    "-inf",
    "0x10",
    "1_000",
    "--1",
    "(-1)",
    "(1",
    "1)",
    "-1-",
    "１２,３４",
    "13%",
    "￥",
    "-",
    ".",
    "1,234,56",
    "٣",
    "9" * 300,
]


@pytest.mark.parametrize(("text", "number"), DECIMALS.items())
def test_decimal_reads_amounts_as_systems_write_them(text: str, number: str) -> None:
    assert result("A | decimal", {"A": text}) == Decimal(number)


@pytest.mark.parametrize("text", RUBBISH)
@pytest.mark.parametrize("expression", ["A | decimal", "A | decimal(2)", "A | int"])
def test_decimal_refuses_what_is_not_clearly_a_number(text: str, expression: str) -> None:
    assert error(result(expression, {"A": text})) == ("NAVE-M103", "x")


@pytest.mark.parametrize("value", [True, [1], {"a": 1}, Decimal("NaN"), Decimal("Infinity")])
def test_decimal_refuses_what_is_no_number_at_all(value: Any) -> None:
    assert error(result("A | decimal(2)", {"A": value})) == ("NAVE-M103", "x")


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**20), max_value=10**20))
def test_any_plain_number_survives_the_way_through_text(number: Decimal) -> None:
    assert result("A | decimal | text", {"A": format(number, "f")}) == format(number, "f")


@pytest.mark.parametrize(
    ("value", "places", "rounded"),
    [("0.125", 2, "0.13"), ("-0.125", 2, "-0.13"), ("2.5", 0, "3"), (5, 2, "5.00"), ("1.10", 2, "1.10")],
)
def test_decimal_rounds_half_up_and_keeps_the_places(value: Any, places: int, rounded: str) -> None:
    assert str(result(f"A | decimal({places})", {"A": value})) == rounded


def test_int_refuses_a_fraction_and_takes_a_whole_decimal() -> None:
    assert result("A | int", {"A": Decimal("3.00")}) == 3
    assert error(result("A | int", {"A": "3.5"})) == ("NAVE-M103", "x")


@pytest.mark.parametrize("word", ["maybe", "2", "ja", ["y"]])
def test_bool_refuses_other_words(word: Any) -> None:
    assert error(result("A | bool", {"A": word})) == ("NAVE-M103", "x")


DATES = {
    "2026-11-21": (2026, 11, 21),
    "2026/1/5": (2026, 1, 5),
    "2026.01.05": (2026, 1, 5),
    "20261121": (2026, 11, 21),
    "2026年1月5日": (2026, 1, 5),
    "2026-11-21 14:20:03": (2026, 11, 21),
    "２０２６－１１－２１": (2026, 11, 21),
    " 2026-11-21 ": (2026, 11, 21),
    "2024-02-29": (2024, 2, 29),
}


@pytest.mark.parametrize(("text", "day"), DATES.items())
def test_date_reads_the_forms_in_use(text: str, day: tuple[int, int, int]) -> None:
    assert result("A | date", {"A": text}) == date(*day)


@pytest.mark.parametrize(
    "text",
    [
        "2026-13-01",
        "2026-02-30",
        "21.11.2026",
        "2026-11",
        "2026-W47-6",
        "2026/11-21",
        "today",
        "0000-01-01",
        "46347",
        "2026-1１-21x",
        "9" * 99,
    ],
)
def test_date_refuses_other_texts(text: str) -> None:
    assert error(result("A | date", {"A": text})) == ("NAVE-M103", "x")


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.dates(min_value=date(1000, 1, 1)))
def test_a_date_is_the_same_in_every_form(day: date) -> None:
    for text in (
        day.isoformat(),
        f"{day.year}/{day.month}/{day.day}",
        f"{day:%Y%m%d}",
        f"{day.year}年{day.month}月{day.day}日",
    ):
        assert result("A | date", {"A": text}) == day
    assert result('A | date | date_format("dd.MM.yyyy") | date("dd.MM.yyyy")', {"A": day.isoformat()}) == day


@pytest.mark.parametrize(
    ("serial", "expected"),
    [
        (1, date(1900, 1, 1)),
        (59, date(1900, 2, 28)),
        (61, date(1900, 3, 1)),
        (46347, date(2026, 11, 21)),
        (Decimal("46347.0"), date(2026, 11, 21)),
        (20261121, date(2026, 11, 21)),
    ],
)
def test_numbers_are_excel_days_or_compact_dates(serial: Any, expected: date) -> None:
    assert result("A | date", {"A": serial}) == expected


@pytest.mark.parametrize("serial", [0, 60, -5, 2_958_466, Decimal("NaN"), True, 10**30])
def test_numbers_that_are_no_day_are_refused(serial: Any) -> None:
    assert error(result("A | date", {"A": serial}))[1] == "x"


def test_an_excel_number_with_a_fraction_has_a_time() -> None:
    assert result("A | datetime", {"A": Decimal("46347.5")}) == datetime(2026, 11, 21, 12, tzinfo=SHANGHAI)


MOMENTS = {
    "2026-11-21 14:20:03": "2026-11-21T06:20:03",
    "2026-11-21 14:20:03.118": "2026-11-21T06:20:03.118",
    "20261121142003": "2026-11-21T06:20:03",
    "2026-11-21T14:20:03Z": "2026-11-21T14:20:03",
    "2026-11-21T14:20:03+0900": "2026-11-21T05:20:03",
    "2026-11-21 14:20:03.5 +02:00": "2026-11-21T12:20:03.5",
    "2026/1/5 8:05": "2026-01-05T00:05",
    "2026年1月5日 8时5分": "2026-01-05T00:05",
    "2026-11-21": "2026-11-20T16:00",
    "20261121142003118": "2026-11-21T06:20:03.118",
}


@pytest.mark.parametrize(("text", "utc"), MOMENTS.items())
def test_datetime_is_aware_in_the_systems_zone_unless_it_names_an_offset(text: str, utc: str) -> None:
    assert result("A | datetime", {"A": text}) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-11-21 25:00:00", "2026-11-21 14:60:00", "2026-11-21 14:20:03 PM", "2026-11-21X14:20:03", "nope"]
)
def test_datetime_refuses_other_texts(text: str) -> None:
    assert error(result("A | datetime", {"A": text})) == ("NAVE-M103", "x")


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(st.datetimes(min_value=FIRST, max_value=LAST))
def test_a_moment_survives_the_way_through_text(moment: datetime) -> None:
    aware = moment.replace(tzinfo=SHANGHAI)

    assert result("A | datetime", {"A": moment.isoformat(" ")}) == aware
    assert result("A | datetime", {"A": aware.isoformat()}) == aware
    for precision in ("seconds", "milliseconds", "microseconds"):
        text = moment.isoformat(timespec=precision)
        read = datetime.fromisoformat(text).replace(tzinfo=UTC)
        assert result("A | datetime", {"A": f"{text}Z"}) == read == result("A | datetime", {"A": f"{text}+00:00"})
        assert result("A | datetime", {"A": f"{text} Z"}) == read


def test_epoch_reads_seconds_and_milliseconds() -> None:
    expected = datetime(2026, 11, 21, 6, 20, 3, tzinfo=UTC)

    assert result("A | epoch", {"A": "1795242003"}) == expected
    assert result("A | epoch", {"A": 1795242003118}) == expected + timedelta(milliseconds=118)
    assert error(result("A | epoch", {"A": 10**60})) == ("NAVE-M103", "x")


@pytest.mark.parametrize("pattern", ["", "dd.MM", "yyyy-MM-dd yyyy", "qq", "yyyy-MM-DD", "x" * 100, "HH:mm"])
def test_a_pattern_that_is_no_date_is_found_while_compiling(pattern: str) -> None:
    assert codes({"name": f'A | date("{pattern}") | iso'}) == ["NAVE-M015"]


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("dd.MM.yyyy", "05.01.2026", date(2026, 1, 5)),
        ("d.M.yyyy", "5.1.2026", date(2026, 1, 5)),
        ("yyMMdd", "260105", date(2026, 1, 5)),
        ("yyMMdd", "690105", date(1969, 1, 5)),
        ("MM/dd/yyyy", "", None),
    ],
)
def test_a_pattern_reads_exactly_its_form(pattern: str, text: str, expected: date | None) -> None:
    assert result(f'A | date("{pattern}")', {"A": text}) == expected


@pytest.mark.parametrize("text", ["2026-01-05", "5.1.2026", "05.13.2026", "０５.01.2026", "+5.01.2026", "05.01.20261"])
def test_a_pattern_refuses_any_other_form(text: str) -> None:
    assert error(result('A | date("dd.MM.yyyy")', {"A": text})) == ("NAVE-M103", "x")


def test_a_time_cannot_be_written_from_a_date() -> None:
    assert error(result('A | date | date_format("yyyy HH")', {"A": "2026-01-05"})) == ("NAVE-M103", "x")
    assert (
        result('A | datetime | date_format("{yyyy} {{0}} %Y")'.replace("%Y", "%"), {"A": "2026-01-05"}) == "{2026} {{0}} %"
    )


@pytest.mark.parametrize("text", ["2026-13", "2026-0", "x", "202600"])
def test_month_refuses_what_is_no_month(text: str) -> None:
    assert error(result("A | month", {"A": text})) == ("NAVE-M103", "x")


def test_check_names_the_wrong_number_and_valid_leaves_it_out() -> None:
    record = {"A": "91110000600037341M"}

    assert error(result('A | check("uscc")', record)) == ("NAVE-M107", "x")
    assert result('A | valid("uscc")', record) is None
    assert result('A | check("uscc")', {"A": ""}) is None
    assert codes({"name": 'A | check("ussc")'}) == ["NAVE-M016"]


@pytest.mark.parametrize("arguments", ["", "(1, 2, 3, 4)", "(x=1)", "([])"])
def test_a_wrong_argument_is_found_while_compiling(arguments: str) -> None:
    assert codes({"name": f"A | replace{arguments}"}) == ["NAVE-M013"]


def test_an_argument_must_be_a_constant() -> None:
    assert codes({"name": "A | pad_left(B)"}) == ["NAVE-M014"]


def test_a_table_passes_numbers_as_their_text_and_refuses_unknown_codes() -> None:
    assert result('A | table("region")', {"A": 7}) == "seven"
    assert error(result('A | table("region")', {"A": "999"})) == ("NAVE-M104", "x")
    assert codes({"name": 'A | table("regoin")'}) == ["NAVE-M024"]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30))
def test_phone_and_company_core_take_any_text_and_settle(text: str) -> None:
    for name in ("phone", "company_core", "nfkc", "squeeze"):
        once = result(f"A | {name}", {"A": text}) or ""
        assert (result(f"A | {name}", {"A": once}) or "") == once or name == "company_core"

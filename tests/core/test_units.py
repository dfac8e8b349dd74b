"""Amounts with units: what is read, what is refused, what a schema says of them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, ValidationError

from nave.core.units import Duration, Rate, Share, Size


class Options(BaseModel):
    """One option of each kind."""

    model_config = ConfigDict(extra="forbid")

    timeout: Duration = timedelta(seconds=30)
    max_body: Size = 16 * 2**20
    rate: Rate = Rate(20.0)
    brake: Share = 0.05
    pause: Duration | None = None


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("timeout", "500ms", timedelta(milliseconds=500)),
        ("timeout", "30s", timedelta(seconds=30)),
        ("timeout", "1.5h", timedelta(minutes=90)),
        ("timeout", "5 m", timedelta(minutes=5)),
        ("timeout", "7d", timedelta(days=7)),
        ("timeout", "2w", timedelta(days=14)),
        ("timeout", "0s", timedelta(0)),
        ("max_body", "10MB", 10_000_000),
        ("max_body", "64KiB", 65_536),
        ("max_body", "2GB", 2_000_000_000),
        ("max_body", "0.5KiB", 512),
        ("rate", "20/s", Rate(20.0)),
        ("rate", "90/m", Rate(1.5)),
        ("rate", "36/h", Rate(0.01)),
        ("brake", "5%", 0.05),
        ("brake", "100%", 1.0),
        ("brake", "0.5 %", 0.005),
        ("pause", "1s", timedelta(seconds=1)),
        ("pause", None, None),
    ],
)
def test_an_amount_with_its_unit_is_read(field: str, text: str | None, value: object) -> None:
    assert getattr(Options.model_validate({field: text}), field) == value


@pytest.mark.parametrize(
    ("field", "wrong", "says"),
    [
        ("timeout", 30, "30s, 5m, 2h or 7d"),
        ("timeout", "30", "30s, 5m, 2h or 7d"),
        ("timeout", "-5s", "30s, 5m, 2h or 7d"),
        ("timeout", "５s", "30s, 5m, 2h or 7d"),
        ("timeout", "5s\n", "30s, 5m, 2h or 7d"),
        ("timeout", "5 minutes", "30s, 5m, 2h or 7d"),
        ("timeout", "40000d", "at most 36500d"),
        ("timeout", "9" * 5000 + "s", "30s, 5m, 2h or 7d"),
        ("timeout", True, "30s, 5m, 2h or 7d"),
        ("timeout", None, "30s, 5m, 2h or 7d"),
        ("max_body", 1024, "10MB, 64KiB or 2GB"),
        ("max_body", "1024", "10MB, 64KiB or 2GB"),
        ("max_body", "10mb", "10MB, 64KiB or 2GB"),
        ("rate", 20, "20/s, 100/m or 5/h"),
        ("rate", "0/s", "above zero"),
        ("rate", "20/w", "20/s, 100/m or 5/h"),
        ("brake", 0.05, "such as 5%"),
        ("brake", "101%", "between 0% and 100%"),
        ("brake", "5", "such as 5%"),
    ],
)
def test_what_has_no_unit_or_makes_no_sense_is_refused_with_the_expected_form(field: str, wrong: object, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({field: wrong})

    (error,) = caught.value.errors()
    assert error["type"].endswith("_form")
    assert says in error["msg"]


def test_defaults_are_shown_the_way_a_person_writes_them() -> None:
    shown = json.loads(Options().model_dump_json())

    assert shown == {"timeout": "30s", "max_body": "16MiB", "rate": "20/s", "brake": "5%", "pause": None}


def test_the_json_schema_says_text_with_a_pattern() -> None:
    validator = Draft202012Validator(Options.model_json_schema())

    assert validator.is_valid({"timeout": "5m", "max_body": "1KiB", "rate": "5/h", "brake": "5%", "pause": None})
    assert not validator.is_valid({"timeout": 5})
    assert not validator.is_valid({"max_body": "64"})
    assert not validator.is_valid({"rate": "fast"})


@given(st.integers(0, 10**12), st.integers(0, 2**49), st.integers(1, 10**6), st.integers(0, 10_000))
def test_what_is_shown_reads_back_as_the_same(milliseconds: int, size: int, hundredths: int, tenths: int) -> None:
    options = Options.model_construct(
        timeout=timedelta(milliseconds=milliseconds),
        max_body=size,
        rate=Rate(hundredths / 100),
        brake=tenths / 10_000,
        pause=None,
    )

    again = Options.model_validate_json(options.model_dump_json())

    assert again == options

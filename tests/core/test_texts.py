"""The catalogue of texts is complete: every code, every part, both languages, the same values in each."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from importlib.resources import files
from string import Formatter

import pytest

from nave.core.texts import LANGUAGES, catalogue, message

CATALOGUE = catalogue()
FILES = sorted(
    (file for file in files("nave.core").joinpath("messages").iterdir() if file.name.endswith(".toml")),
    key=lambda file: file.name,
)
HAN = re.compile(r"[\u4e00-\u9fff]")


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_part_of_a_code_is_there_in_every_language_with_the_same_values(code: str) -> None:
    entry = CATALOGUE[code]

    assert re.fullmatch(r"NAVE-[CMDSEAK]\d{3}", code)
    assert "text" in entry
    for part, texts in entry.items():
        assert set(texts) == set(LANGUAGES), part
        assert placeholders(texts["en"]) == placeholders(texts["zh"]), part
        assert HAN.search(texts["zh"]), part
        assert not HAN.search(texts["en"]), part
        assert all(text.strip() == text and "\n" not in text for text in texts.values()), part


@pytest.mark.parametrize("code", [code for code in CATALOGUE if code != "NAVE-C000"])
def test_every_code_says_what_is_wrong_what_to_do_and_why(code: str) -> None:
    assert set(CATALOGUE[code]) == {"text", "help", "explain"}


def test_no_code_stands_in_two_files() -> None:
    codes = Counter(code for file in FILES for code in tomllib.loads(file.read_text(encoding="utf-8")))

    assert [code for code, count in codes.items() if count > 1] == []


def test_a_text_is_filled_in_its_language_and_a_missing_value_stays_visible() -> None:
    assert message("NAVE-C006", "text", "en", key="hub") == "the key 'hub' is there twice, first on line {line}"
    assert message("NAVE-C006", "text", "zh", key="hub", line=1) == "键“hub”出现两次，首次在第 1 行"


def test_an_unknown_code_shows_itself() -> None:
    assert message("NAVE-X999", "text", "en", a=1) == "NAVE-X999 {'a': 1}"
    assert message("NAVE-X999", "help", "en") == ""

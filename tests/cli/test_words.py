"""Every text of the command line is there in both languages, and the user's language is found."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from string import Formatter

import click
import pytest

from nave import cli
from nave.cli.app import app
from nave.cli.commands import ENTRIES, SECTIONS
from nave.cli.words import Words, language_of

WORDS = tomllib.loads(files("nave.cli").joinpath("words.toml").read_text(encoding="utf-8"))
HAN = re.compile(r"[\u4e00-\u9fff]")


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_every_text_is_there_in_both_languages_with_the_same_values() -> None:
    for key, texts in WORDS.items():
        assert set(texts) == {"en", "zh"}, key
        assert placeholders(texts["en"]) == placeholders(texts["zh"]), key
        assert HAN.search(texts["zh"]), key
        assert not HAN.search(texts["en"]), key


def test_every_command_and_every_option_says_what_it_does() -> None:
    words = Words("zh")

    for entry in ENTRIES:
        assert words.known(f"command.{entry.name}"), entry.name
        for made in (param.made() for param in entry.params):
            names = (f"option.{made.name}", f"option.{entry.name}.{made.name}")
            assert not isinstance(made, click.Option) or any(words.known(name) for name in names), made.name


def test_every_text_that_the_code_asks_for_by_name_is_there() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path(cli.__file__).parent.glob("*.py"))
    words = Words()

    asked = set(re.findall(r"(?:words|heading|remark|counted)\(\s*[\"']([a-z_.]+)[\"']", code))

    assert len(asked) > 100
    assert [name for name in asked if not words.known(name) and not words.known(f"{name}.one")] == []


def test_the_sections_of_the_help_name_every_command_once() -> None:
    listed = [name for _, names in SECTIONS for name in names]

    assert sorted(listed) == sorted(entry.name for entry in ENTRIES if " " not in entry.name and not entry.hidden)


@pytest.mark.parametrize(
    ("arguments", "environ", "language"),
    [
        (["--lang", "zh", "status"], {}, "zh"),
        (["status", "--lang=zh"], {"NAVE_LANG": "en"}, "zh"),
        (["status"], {"NAVE_LANG": "zh"}, "zh"),
        (["status"], {"LANG": "zh_CN.UTF-8"}, "zh"),
        (["status"], {"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        (["status"], {"LANG": "de_DE.UTF-8"}, "en"),
        (["status", "--", "--lang=zh"], {}, "en"),
    ],
)
def test_the_language_is_that_of_the_option_else_of_the_environment(
    arguments: list[str], environ: dict[str, str], language: str
) -> None:
    assert language_of(arguments, environ) == language
    assert app(arguments, environ).shelf.words.language == language

"""Help and wrong usage: quick, in the user's language, with what was probably meant."""

from __future__ import annotations

import subprocess
import sys

import pytest

from nave.cli.commands import ENTRIES
from tests.cli.calls import nave

HEAVY = ("sqlalchemy", "pydantic", "lxml", "rich", "jinja2", "structlog", "ruamel", "pycurl")


def test_the_first_page_names_every_command() -> None:
    answer = nave("--help")

    assert answer.status == 0
    assert answer.err == ""
    assert all(f"  {entry.name} " in answer.out for entry in ENTRIES if " " not in entry.name and not entry.hidden)


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.target], ids=lambda entry: entry.name)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_command_shows_examples_options_and_exit_statuses(entry: object, language: str) -> None:
    answer = nave(*entry.name.split(), "--help", "--lang", language)  # type: ignore[attr-defined]

    assert answer.status == 0
    assert all(f"\n  {example}\n" in answer.out for example in entry.examples)  # type: ignore[attr-defined]
    assert ("Exit status:" if language == "en" else "退出状态：") in answer.out


def test_help_fits_a_narrow_terminal() -> None:
    answer = nave("dead", "replay", "--help", "--lang", "zh", environ={"COLUMNS": "80"})

    assert max(len(line.encode("gb18030")) for line in answer.out.splitlines()) <= 80


def test_help_imports_nothing_heavy() -> None:
    script = f"""
import sys
from nave.cli.app import app
for page in (["--help"], ["sync", "--help"], ["dead", "replay", "--help"]):
    try:
        app(page).main(page)
    except SystemExit:
        pass
heavy = [name for name in {HEAVY} if name in sys.modules]
sys.exit(f"imported: {{heavy}}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.returncode == 0


def test_a_call_without_a_command_shows_help_beside_the_data() -> None:
    answer = nave()

    assert answer.status == 2
    assert answer.out == ""
    assert "Usage: nave" in answer.err


def test_the_version_is_one_line() -> None:
    answer = nave("--version")

    assert (answer.status, len(answer.out.splitlines())) == (0, 1)
    assert answer.out.startswith("nave ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["staus"], ["error: there is no command 'staus'", "  help: did you mean 'status'?"]),
        (["dead", "lst"], ["error: there is no command 'lst'", "  help: did you mean 'list'?"]),
        (["status", "--jsn"], ["error: there is no option '--jsn'", "  help: did you mean '--json'?"]),
        (["sync"], ["error: SOURCE is missing", "  help: see `nave sync --help`"]),
        (["show", "a/1", "b"], ["error: there is too much on the line: b", "  help: see `nave show --help`"]),
        (["sync", "x", "--file"], ["error: the option '--file' needs a value", "  help: see `nave sync --help`"]),
        (
            ["status", "-o", "xml"],
            [
                "error: --output cannot be used as it is: expected one of table, json, yaml, csv",
                "  help: see `nave status --help`",
            ],
        ),
        (["staus", "--lang", "zh"], ["错误: 没有命令“staus”", "  帮助: 是否想用“status”？"]),
    ],
)
def test_wrong_usage_says_what_is_wrong_and_what_was_probably_meant(arguments: list[str], said: list[str]) -> None:
    answer = nave(*arguments)

    assert answer.status == 2
    assert answer.out == ""
    assert answer.err.splitlines() == said


def test_a_wrong_call_is_told_as_data_to_programs() -> None:
    answer = nave("--json", "dead", "replay", hub=None)

    assert answer.status == 2
    assert answer.data["apiVersion"] == "nave.cli/v1"
    assert answer.data["error"]["text"].startswith("say which letters")

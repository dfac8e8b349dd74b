"""The tutorials are run: files are written as their pages show them, commands are called, and say what the pages say."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.calls import nave
from tests.docs.pages import ROOT, headings

PAGES = {"docs/tutorials/map-a-file.md": "en", "docs/zh-CN/tutorials/map-a-file.md": "zh"}
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)


def fits(shown: list[str], said: list[str]) -> bool:
    """Whether a command said what is shown, however wide its columns are.

    `...` stands for anything in a line, or for any number of lines.
    """
    lines = ["(?:.*\n)*" if line == "..." else re.escape(squeezed(line)).replace(r"\.\.\.", ".*") + "\n" for line in shown]
    return re.fullmatch("".join(lines), "".join(f"{squeezed(line)}\n" for line in said)) is not None


def squeezed(line: str) -> str:
    return re.sub(" +", " ", line).rstrip()


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Each command of a block, with what is shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ nave "):
            found.append((line.removeprefix("$ nave "), []))
        else:
            found[-1][1].append(line)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial_works_as_it_is_written(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = 0

    for info, text in _BLOCK.findall((ROOT / page).read_text("utf-8")):
        if file := re.search(r"\bfile:(\S+)", info):
            path = tmp_path / file[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        for command, shown in commands(text) if info == "console" else ():
            answer = nave(*shlex.split(command), environ={"NAVE_LANG": PAGES[page], "COLUMNS": "110", "TZ": "UTC"})
            assert fits(shown, answer.out.splitlines()), f"$ nave {command}\n{answer.out}\n{answer.err}"
            ran += 1

    assert ran == 10
    assert (tmp_path / "mappings/wms/customer.yaml").is_file()


def test_what_a_page_shows_must_be_said() -> None:
    assert fits(["a", "...", "b ..."], ["a", "x", "y", "b 7"])
    assert not fits(["a", "b"], ["a", "x", "b"])
    assert not fits(["a"], ["a", "b"])


def test_both_languages_have_the_same_sections() -> None:
    left, right = ((ROOT / page).read_text("utf-8") for page in PAGES)

    assert [one.count("#") for one in headings(left)] == [one.count("#") for one in headings(right)]

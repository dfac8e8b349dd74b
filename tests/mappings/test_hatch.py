"""Functions of the hub's own: found in its python/ folder or among the installed, their failures kept to the record."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nave.mappings import Mapped, MappingProblems
from tests.mappings.setting import error, inbound

SOURCE = """
def shout(record):
    return record["A"].upper() + "!"

def whole(record):
    return {"name": record["A"], "other": None}

def number(record):
    return 5

not_callable = 3
"""


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A hub folder with two modules of functions."""
    (tmp_path / "python" / "deep").mkdir(parents=True)
    (tmp_path / "python" / "own.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "python" / "deep" / "own.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "python" / "broken.py").write_text("1 / 0", encoding="utf-8")
    (tmp_path / "outside.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "python" / "link.py").symlink_to(tmp_path / "outside.py")
    return tmp_path


@pytest.mark.parametrize("reference", ["own:shout", "deep.own:shout"])
def test_a_function_fills_a_field(hub: Path, reference: str) -> None:
    mapping = inbound({"name": {"python": reference}}, folder=hub)

    good, bad = mapping.run([{"K": "1", "A": "x"}, {"K": "2"}])

    assert isinstance(good, Mapped)
    assert good.values == {"name": "X!"}
    assert error(bad) == ("NAVE-M109", "name")
    assert mapping.unread([{"Z": 1}]) == set()


def test_a_function_fills_a_whole_record(hub: Path) -> None:
    mapping = inbound({}, folder=hub, python="own:whole", key="A")

    (mapped,) = mapping.run([{"A": "x"}])

    assert mapped == ("x", None, None, {"name": "x"})
    assert error(inbound({}, folder=hub, python="own:number").run([{"K": "1"}])[0])[0] == "NAVE-M017"


def test_an_installed_module_serves_too() -> None:
    (mapped,) = inbound({"name": {"python": "json:dumps"}}).run([{"K": "1"}])

    assert isinstance(mapped, Mapped)
    assert mapped.values == {"name": '{"K": "1"}'}


@pytest.mark.parametrize(
    "reference",
    [
        "own:none",
        "own:not_callable",
        "nowhere_to_be_found:f",
        "broken:f",
        "own",
        "own:",
        "../outside:shout",
        "link:shout",
        "own:shout()",
        "outside:shout",
    ],
)
def test_what_cannot_be_loaded_is_found_while_compiling(hub: Path, reference: str) -> None:
    with pytest.raises(MappingProblems) as caught:
        inbound({"name": {"python": reference}}, folder=hub)

    assert [(problem.path, problem.error.code) for problem in caught.value.problems] == [
        (("fields", "name", "python"), "NAVE-M017")
    ]


def test_a_changed_function_is_a_changed_mapping(hub: Path) -> None:
    before = inbound({"name": {"python": "own:shout"}}, folder=hub)
    (hub / "python" / "own.py").write_text(SOURCE.replace("!", "?"), encoding="utf-8")

    after = inbound({"name": {"python": "own:shout"}}, folder=hub)

    assert before.hash != after.hash
    assert after.run([{"K": "1", "A": "x"}])[0].values == {"name": "X?"}  # type: ignore[union-attr]


def test_a_changed_function_of_an_installed_module_is_a_changed_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    hashes = []
    for body in ("'a'", "'bb'"):
        (tmp_path / "nave_plates_installed.py").write_text(f"def made(record):\n    return {body}\n", "utf-8")
        monkeypatch.delitem(sys.modules, "nave_plates_installed", raising=False)
        hashes.append(inbound({"name": {"python": "nave_plates_installed:made"}}).hash)
    monkeypatch.delitem(sys.modules, "nave_plates_installed", raising=False)

    assert hashes[0] != hashes[1]

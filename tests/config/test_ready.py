"""Every ready-made system is copied whole, is right as it is, and says what its mappings do."""

from __future__ import annotations

from pathlib import Path

import pytest

from nave.config.readymade import ready_systems
from tests.cli.calls import nave

NAMES = list(ready_systems())


@pytest.mark.parametrize("name", NAMES)
def test_a_ready_made_system_is_right_as_it_is(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "hub"

    made = nave("init", folder, "--system", name, "--json")

    assert made.status == 0
    assert all((folder / file).is_file() for file in made.data["files"])
    checked = nave("check", hub=folder)
    assert checked.status == 0, checked.out + checked.err


@pytest.mark.parametrize("name", NAMES)
def test_a_ready_made_system_says_what_it_is_and_tests_each_mapping(name: str) -> None:
    ready = ready_systems()[name]

    files = [path for path, _ in ready.files()]

    assert {*ready.title} == {*ready.about} == {"en", "zh"}
    assert all("\n" not in one for one in (*ready.title.values(), *ready.about.values()))
    assert any(path.startswith("systems/") for path in files)
    mappings = [path for path in files if path.startswith("mappings/") and not path.endswith(".test.yaml")]
    assert mappings
    assert [one for one in mappings if one.replace(".yaml", ".test.yaml") not in files] == []


def test_all_of_them_go_into_one_hub_whose_mappings_do_what_their_cases_say(tmp_path: Path) -> None:
    wanted = [argument for name in NAMES for argument in ("--system", name)]

    made = nave("init", tmp_path / "hub", *wanted)

    assert made.status == 0, made.err
    checked = nave("check", hub=tmp_path / "hub")
    assert checked.status == 0, checked.out + checked.err
    tested = nave("test", hub=tmp_path / "hub")
    assert tested.status == 0, tested.out + tested.err


def test_a_system_is_added_to_a_hub_and_overwrites_nothing(tmp_path: Path) -> None:
    nave("init", tmp_path, "--system", NAMES[0])
    file = next((tmp_path / "systems").iterdir())
    (tmp_path / "hub.yaml").write_text("hub: mine\n", encoding="utf-8")
    again = nave("init", tmp_path, "--system", NAMES[0], "--system", NAMES[1], "--json")
    file.write_text(file.read_text(encoding="utf-8") + "# ours\n", encoding="utf-8")

    refused = nave("init", tmp_path, "--system", NAMES[0])

    assert again.status == 0
    assert file.relative_to(tmp_path).as_posix() not in again.data["files"]
    assert (tmp_path / "hub.yaml").read_text(encoding="utf-8") == "hub: mine\n"
    assert (refused.status, "NAVE-K381" in refused.err) == (5, True)
    assert file.read_text(encoding="utf-8").endswith("# ours\n")


def test_a_name_that_is_none_is_told_what_is_near(tmp_path: Path) -> None:
    answer = nave("init", tmp_path / "hub", "--system", "espocm")

    assert (answer.status, "espocrm" in answer.err) == (2, True)
    assert not (tmp_path / "hub").exists()


def test_a_folder_that_is_no_hub_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")

    answer = nave("init", tmp_path, "--system", NAMES[0])

    assert answer.status == 5
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_they_are_listed_in_the_users_language(language: str) -> None:
    answer = nave("init", "--list", "--json", "--lang", language)

    assert [row["system"] for row in answer.data["systems"]] == NAMES
    assert answer.data["systems"][0]["about"] == ready_systems()[NAMES[0]].about[language]

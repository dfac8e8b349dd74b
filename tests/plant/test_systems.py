"""The plant in ready-made systems: its folder is in order, and its truth is the plant's own in other names."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from nave.config import HubConfig, load
from nave.config.plant import generate
from nave.config.plant.example import READY
from nave.config.plant.generate import TRUTH
from nave.config.plant.systems.names import account_id, contact_id
from nave.config.plant.systems.retold import READY_RULES
from nave.config.plant.systems.targets import IDENTITY
from nave.config.plant.truth import read_lines
from nave.config.readymade import ready_systems
from nave.workers.build import compile_hub
from tests.cli.calls import nave

NAME, SIZE, SEED = "plant-systems", 50, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("systems")
    answer = nave("init", made, "--example", NAME, "--size", str(SIZE), "--seed", str(SEED))
    assert answer.status == 0, answer.err
    return made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plain")
    generate(made, size=SIZE, seed=SEED)
    return made


@pytest.fixture(scope="module")
def config(folder: Path) -> HubConfig:
    loaded = load(folder)
    assert loaded.problems == []
    assert loaded.config is not None
    return loaded.config


def golden(folder: Path, entity: str) -> list[dict[str, Any]]:
    return list(read_lines(folder / TRUTH / f"golden/{entity}.jsonl"))


def test_every_mapping_compiles_and_its_cases_pass(folder: Path, config: HubConfig) -> None:
    compiled = compile_hub(config)
    tested = nave("test", hub=folder)

    assert compiled.problems == []
    assert {*IDENTITY} <= {*compiled.outbound}
    assert tested.status == 0, tested.out + tested.err


def test_the_plant_with_tryton_is_in_order_too(tmp_path: Path) -> None:
    made = nave("init", tmp_path, "--example", "plant-tryton", "--size", str(SIZE), "--seed", str(SEED))
    checked, tested = nave("check", hub=tmp_path), nave("test", hub=tmp_path)

    assert [one.status for one in (made, checked, tested)] == [0, 0, 0], made.err + checked.out + tested.out


def test_most_files_are_as_the_ready_made_systems_bring_them(folder: Path) -> None:
    """What a site changes is its field list: the mappings that name its own fields, and few systems."""
    ready = {path: content for name in READY for path, content in ready_systems()[name].files()}

    changed = {
        path for path, content in ready.items() if (folder / path).exists() and (folder / path).read_bytes() != content
    }

    assert {path for path in changed if path.startswith("systems/")} == {"systems/nc.yaml", "systems/autoid.yaml"}
    assert len(ready) - len(changed) > len(changed)


@pytest.mark.parametrize("entity", ["customer", "product"])
def test_the_rules_of_the_truth_are_those_of_the_hub(entity: str) -> None:
    text = files("nave.config").joinpath("examples", NAME, "entities", f"{entity}.yaml").read_text("utf-8")
    configured = YAML(typ="safe", pure=True).load(text)["survivorship"]

    written = {name: list(rule) if isinstance(rule, tuple) else rule for name, rule in READY_RULES[entity].items()}

    assert written == configured


def test_it_is_the_same_plant(folder: Path, plain: Path) -> None:
    for entity in ("order", "invoice", "payment", "progress", "region", "shipment", "stock_movement"):
        told = json.dumps(golden(folder, entity), sort_keys=True).replace('"hr-db"', '"hr"')

        assert told == json.dumps(golden(plain, entity), sort_keys=True), entity
    for entity in ("customer", "product", "contact", "employee", "attendance", "sales_performance"):
        assert len(golden(folder, entity)) == len(golden(plain, entity)) > 0, entity


def test_nobody_is_named_who_is_not_there(folder: Path, config: HubConfig) -> None:
    texts = [path.read_text("utf-8") for path in (folder / TRUTH / "golden").glob("*.jsonl")]

    named = {member[0] for text in texts for line in text.splitlines() for member in json.loads(line)["members"]}

    assert named <= set(config.systems)
    assert {"crm", "pdm", "hr"} & set(config.systems) == set()
    assert not any(f'"system": "{old}"' in text for text in texts for old in ("crm", "pdm", "hr"))


def test_ids_of_accounts_and_contacts_never_meet() -> None:
    keys = [f"CUS-{number:05d}" for number in range(0, 100_000, 999)]

    found = {account_id(key) for key in keys} | {contact_id(key.replace("CUS", "CON")) for key in keys}

    assert len(found) == 2 * len(keys)
    assert {len(one) for one in found} == {17}


def test_the_same_size_and_seed_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    generate(tmp_path, size=SIZE, seed=SEED, example=NAME)

    assert contents(tmp_path) == contents(folder)


def contents(folder: Path) -> dict[str, str]:
    found = [*(folder / "data").rglob("*"), *(folder / "drop").rglob("*"), folder / "tables/zkteco_pin.csv"]
    made = sorted(path for path in found if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in made}

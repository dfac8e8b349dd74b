"""The hubs that ship as examples are in order, and fit the schemas that editors are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import nave.config
from nave.config import Document, export_schemas, load
from nave.core.registry import connector, find_connectors
from nave.mappings import MappingSpec, TestFile

EXAMPLES = Path(nave.config.__file__).parent / "examples"
FOLDERS = sorted(folder for folder in EXAMPLES.iterdir() if (folder / "hub.yaml").is_file())


def schemas() -> dict[str, dict[str, Any]]:
    return export_schemas(map(connector, find_connectors()), mapping=MappingSpec, test=TestFile)


def kind(document: Document) -> str:
    if document.file.endswith(".test.yaml"):
        return "test"
    return {"systems": "system", "entities": "entity", "mappings": "mapping"}.get(document.file.split("/")[0], "hub")


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_an_example_has_no_problem(folder: Path) -> None:
    loaded = load(folder, environ={})

    assert [problem.render() for problem in loaded.problems] == []
    assert loaded.config is not None


@pytest.mark.parametrize("folder", FOLDERS, ids=[folder.name for folder in FOLDERS])
def test_an_example_fits_the_schemas(folder: Path) -> None:
    validators = {name: Draft202012Validator(schema) for name, schema in schemas().items()}

    wrong = [
        f"{document.file}: {error.json_path}: {error.message[:200]}"
        for document in load(folder, environ={}).partial.documents.values()
        for error in validators[kind(document)].iter_errors(document.data)
    ]

    assert wrong == []


def test_the_schemas_of_all_installed_connectors_are_valid() -> None:
    for schema in schemas().values():
        Draft202012Validator.check_schema(schema)

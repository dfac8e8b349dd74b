"""The exported JSON Schemas are valid, refuse what the loader refuses, and accept what it accepts."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict

from nave.config import export_schemas, parse
from tests.config.hubs import GOOD, SPECS


class Mapping(BaseModel):
    """Stands in for the mapping files' own model."""

    model_config = ConfigDict(extra="forbid")

    mapping: str


class Test(BaseModel):
    """Stands in for the test files' own model."""

    __test__ = False
    model_config = ConfigDict(extra="forbid")

    cases: list[dict[str, Any]]


SCHEMAS = export_schemas(SPECS.values(), mapping=Mapping, test=Test)
KINDS = {"hub.yaml": "hub", "systems": "system", "entities": "entity"}


def valid(kind: str, text: str) -> bool:
    document, problems = parse("x.yaml", text)
    assert not problems
    return Draft202012Validator(SCHEMAS[kind]).is_valid(document.data)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_and_documented(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])

    assert SCHEMAS[name]["$schema"].endswith("2020-12/schema")
    assert SCHEMAS[name]["description"]
    if name in ("hub", "system", "entity"):
        assert all(field.get("description") for field in SCHEMAS[name]["properties"].values())


@pytest.mark.parametrize("file", [file for file in GOOD if KINDS.get(file.split("/")[0])])
def test_what_the_loader_accepts_fits_its_schema(file: str) -> None:
    from textwrap import dedent

    document, _ = parse(file, dedent(GOOD[file]))
    errors = Draft202012Validator(SCHEMAS[KINDS[file.split("/")[0]]]).iter_errors(document.data)

    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    ("kind", "text", "fits"),
    [
        ("hub", "hub: p\nhttp: {max_body: 5MB, max_waiting: 3}\n", True),
        ("hub", "hub: p\nhttp: {max_body: '${env:MAX}', max_waiting: '${env:N:-5}'}\n", True),
        ("hub", "hub: p\nhttp: {max_body: 5}\n", False),
        ("hub", "hub: p\nhttp: {max_waiting: many}\n", False),
        ("hub", "hub: P 1\n", False),
        ("hub", "hub: p\nstor: x\n", False),
        ("hub", "hub: p\ntitle: x\n", True),
        ("system", "system: x\nconnections: {a: {type: depot, url: x, password: '${env:P}'}}\n", True),
        ("system", "system: x\nconnections: {a: {type: depot, url: x, password: hunter2}}\n", False),
        ("system", "system: x\nconnections: {a: {type: depot, url: x, login: {key: hunter2}}}\n", False),
        ("system", "system: x\nconnections: {a: {type: depot, url: x, pol: 3}}\n", False),
        ("system", "system: x\nconnections: {a: {type: door, url: x}}\n", False),
        ("system", "system: x\nconnections: {a: {type: nothing}}\n", False),
        ("system", "system: x\nsources: {a: {entity: e, from: c, mapping: m, query: q, every: 5m}}\n", True),
        ("system", "system: x\nsources: {a: {entity: e, from: c, mapping: m, query: q, every: 5}}\n", False),
        ("system", "system: x\nsources: {a: {entity: e, from: c, mapping: m, expect: {by: 6}}}\n", False),
        ("system", "system: x\nsinks: {a: {entity: e, to: c, mapping: m, table: t, limits: {rate: 20/s}}}\n", True),
        ("system", "system: x\nsinks: {a: {entity: e, to: c, mapping: m}}\n", False),
        ("entity", "entity: x\nfields: {a: {type: {list: {object: {b: {type: code}}}}}}\n", True),
        ("entity", "entity: x\nfields: {a: {type: {list: {object: {b: {type: nonsense}}}}}}\n", False),
        ("entity", "entity: x\nidentity: {exact: [a, [b, c]]}\nsurvivorship: {a: longest, b: [x]}\n", True),
        ("entity", "entity: x\nidentity: {scored: {compare: {a: name, b: }, block: ['a:value', ['a:b', 'c:d']]}}\n", True),
        ("entity", "entity: x\nidentity: {scored: {link: 1.5}}\n", False),
        ("entity", "entity: x\nbrakes: {delete: 5%, move: {a: {by: 20%, share: 1%}}, from: 10}\n", True),
        ("entity", "entity: x\nbrakes: {delete: 0.05}\n", False),
        ("mapping", "mapping: x\n", True),
        ("test", "cases: []\n", True),
    ],
)
def test_editors_see_the_same_mistakes(kind: str, text: str, fits: bool) -> None:
    assert valid(kind, text) is fits


def test_defaults_are_shown_as_a_person_writes_them() -> None:
    definitions = SCHEMAS["hub"]["$defs"]

    assert definitions["HttpFile"]["properties"]["max_body"]["default"] == "16MiB"
    assert definitions["RetentionFile"]["properties"]["journal"]["default"] == "90d"

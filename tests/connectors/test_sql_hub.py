"""A whole hub on databases: what changes and what is deleted in one system reaches the other, wherever the hub ends."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli.calls import nave
from tests.whole import small

_FILES = {
    "hub.yaml": "hub: captured\n",
    "systems/erp.yaml": """
        system: erp
        connections: {db: {type: sql, url: "sqlite:///erp.db"}}
        sources:
          customers: {entity: customer, from: db, table: CUSTOMER, capture: {}, mapping: erp/customer}
        """,
    "systems/crm.yaml": """
        system: crm
        connections: {db: {type: sql, url: "sqlite:///crm.db"}}
        sinks:
          customers:
            {entity: customer, to: db, table: CUSTOMER, key: ID, create: true, retired: delete, mapping: crm/customer}
        """,
    "mappings/erp/customer.yaml": """
        mapping: erp/customer
        from: erp.customers
        to: customer
        key: CODE
        version: CHANGED | optional | datetime
        deleted: NAVE_OP == "delete"
        fields: {code: CODE, name: NAME}
        """,
    "mappings/crm/customer.yaml": """
        mapping: crm/customer
        from: customer
        to: crm.customers
        fields: {ID: id, CODE: code, NAME: name}
        """,
}


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A hub whose ERP has three customers in a table that is captured."""
    for name, text in _FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(dedent(text), "utf-8")
    erp(tmp_path, "create table CUSTOMER (CODE text primary key, NAME text, CHANGED text)")
    erp(tmp_path, *(f"insert into CUSTOMER values ('C{n}', 'N{n}', '2026-11-0{n} 10:00:00')" for n in (1, 2, 3)))
    installed = nave("connector", "install-capture", "erp", "CUSTOMER", "--yes", hub=tmp_path)
    assert installed.status == 0, installed.err
    return tmp_path


def erp(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "erp.db")) as database, database:
        for statement in statements:
            database.execute(statement)


def arrived(folder: Path) -> set[str]:
    """The customers that the other system holds."""
    with closing(sqlite3.connect(folder / "crm.db")) as database:
        return {row[0] for row in database.execute("select NAME from CUSTOMER")}


def test_a_change_and_a_deletion_reach_the_hub_and_a_key_that_comes_back_is_found_again(hub: Path) -> None:
    small.run(hub)
    before = arrived(hub)

    changed = "update CUSTOMER set NAME = 'new', CHANGED = '2026-11-08 10:00:00' where CODE = 'C1'"
    erp(hub, changed, "delete from CUSTOMER where CODE = 'C2'")
    small.run(hub)
    between = arrived(hub)
    erp(hub, "insert into CUSTOMER values ('C2', 'back', '2026-11-09 10:00:00')")
    small.run(hub)

    assert (before, between) == ({"N1", "N2", "N3"}, {"new", "N3"})
    assert arrived(hub) == {"new", "N3", "back"}
    assert small.letters(hub) == []


def test_the_command_shows_what_it_would_run_and_changes_nothing_unasked(hub: Path) -> None:
    nave("connector", "install-capture", "erp", "CUSTOMER", "--remove", "--yes", hub=hub)

    shown = nave("connector", "install-capture", "erp", "customer", "--show", hub=hub)
    unasked = nave("connector", "install-capture", "erp.db", "CUSTOMER", hub=hub)
    data = nave("connector", "install-capture", "erp", "CUSTOMER", "--json", "--show", hub=hub).data

    assert (shown.status, unasked.status) == (0, 5)
    assert "NAVE-E212" in unasked.err
    assert data["done"] is False
    assert all(f"{statement};" in f"{shown.out};" for statement in data["tables"][0]["statements"])
    with closing(sqlite3.connect(hub / "erp.db")) as database:
        left = database.execute("select name from sqlite_master where name like 'NAVE%'").fetchall()
    assert left == []


def test_what_was_shown_is_what_is_installed_and_a_second_time_there_is_nothing_to_do(hub: Path) -> None:
    again = nave("connector", "install-capture", "erp", "CUSTOMER", "--yes", "--lang", "zh", hub=hub)
    gone = nave("connector", "install-capture", "erp", "CUSTOMER", "--remove", "--yes", "--json", hub=hub)

    assert (again.status, again.out) == (0, "-- CUSTOMER：无需操作，已是所需状态\n\n")
    assert gone.data["done"] is True
    assert len(gone.data["tables"][0]["statements"]) == 4


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (["nobody", "CUSTOMER"], 2, "NAVE-K213"),
        (["erp", "NOBODYS"], 1, "NAVE-S040"),
        (["erp", "CUSTOMER", "--key", "NAME"], 1, "NAVE-K211"),
    ],
)
def test_what_cannot_be_captured_says_what_to_do(words: list[str], status: int, code: str, hub: Path) -> None:
    answer = nave("connector", "install-capture", *words, "--yes", hub=hub)

    assert (answer.status, code in answer.err) == (status, True)
    assert "help: " in answer.err

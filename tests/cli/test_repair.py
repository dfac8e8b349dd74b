"""`nave dead replay` and `nave dead discard`: by name, never by accident, and nothing newer is overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nave.core.store import open_store
from nave.core.store import schema as t
from tests.cli.calls import nave
from tests.cli.tiny import teach_status


def letters(hub: Path) -> list[Any]:
    found: list[Any] = nave("dead", "list", "--json", "--limit", "1000", hub=hub).data["letters"]
    return found


def until_idle(hub: Path) -> int:
    return nave("run", "--until-idle", "--no-http", "--poll", "0.1", hub=hub).status


def test_a_letter_goes_through_once_its_cause_is_mended(full: Path) -> None:
    number = letters(full)[0]["id"]
    teach_status(full, "Q")

    replayed = nave("dead", "replay", number, "--as", "li.wei", hub=full)
    ended = until_idle(full)

    assert (replayed.status, ended) == (0, 0)
    assert replayed.out.startswith("1 letter goes through again")
    assert nave("show", "customer/S3", "--json", hub=full).data["records"][0]["document"]["name"] == "Gamma"
    shown = nave("dead", "show", number, "--json", hub=full).data["letter"]
    assert (shown["state"], shown["settled_by"]) == ("replayed", "li.wei")


def test_a_rehearsal_counts_and_changes_nothing(full: Path) -> None:
    before = nave("dead", "replay", "--all", "--dry-run", "--json", hub=full).data["dry_run"]
    teach_status(full, "Q")
    after = nave("dead", "replay", "--all", "--dry-run", hub=full)

    assert (before["letters"], before["would_pass"], before["would_fail"]) == (1, 0, 1)
    assert before["reasons"][0]["code"] == "NAVE-M104"
    assert after.out == "1 letter. Would pass now: 1. Nothing was changed.\n"
    assert len(letters(full)) == 1


def test_a_letter_that_fails_again_is_a_letter_again(full: Path) -> None:
    first = letters(full)[0]["id"]

    nave("dead", "replay", first, hub=full)
    ended = until_idle(full)

    assert ended == 4
    assert [one["id"] for one in letters(full)] != [first]
    books = nave("status", "--json", hub=full).data["sources"]
    assert next(one for one in books if one["source"] == "shop.customers")["dead"] == 1


def test_a_letter_that_is_settled_is_left_alone(full: Path) -> None:
    number = letters(full)[0]["id"]
    nave("dead", "discard", number, "--yes", hub=full)

    again = nave("dead", "replay", number, hub=full)

    assert again.status == 0
    assert "is settled already: discarded" in again.err
    assert again.out == "No open letters are concerned.\n"


def test_discarding_is_refused_where_nobody_can_be_asked(full: Path) -> None:
    refused = nave("dead", "discard", "--all", hub=full)
    done = nave("dead", "discard", "--all", "--yes", hub=full)

    assert refused.status == 5
    assert "error[NAVE-E211]" in refused.err
    assert (done.status, done.out) == (0, "1 letter discarded.\n")
    assert letters(full) == []
    assert until_idle(full) == 0


def test_more_than_a_hundred_letters_are_not_replayed_without_being_asked(hub: Path) -> None:
    rows = "".join(f"S{number},N,,Q,2026-11-01 10:00:00\n" for number in range(101))
    (hub / "drop").mkdir()
    (hub / "drop/customers_1.csv").write_text(f"CODE,NAME,TAX,STATUS,CHANGED\n{rows}", encoding="utf-8")
    until_idle(hub)

    refused = nave("dead", "replay", "--flow", "shop.customers", hub=hub)
    done = nave("dead", "replay", "--flow", "shop.customers", "--yes", "--json", hub=hub)

    assert refused.status == 5
    assert "101 letters" in refused.err
    assert done.data["replayed"] == 101


def test_an_unreadable_row_cannot_be_replayed_and_says_why(hub: Path) -> None:
    (hub / "drop").mkdir()
    (hub / "drop/customers_1.csv").write_text("CODE,NAME,TAX,STATUS,CHANGED\nS1,A\n", encoding="utf-8")
    until_idle(hub)

    answer = nave("dead", "replay", "--all", hub=hub)

    assert answer.status == 5
    assert "not done (1)" in answer.err
    assert len(letters(hub)) == 1


def test_an_unreadable_file_is_offered_again(hub: Path) -> None:
    (hub / "drop").mkdir()
    (hub / "drop/customers_1.csv").write_bytes(b"")
    until_idle(hub)
    (hub / "drop/refused/customers_1.csv").write_text("CODE,NAME,TAX,STATUS,CHANGED\nS1,A,,A,2026-11-01 10:00:00\n")

    answer = nave("dead", "replay", "--all", hub=hub)
    until_idle(hub)

    assert answer.status == 0
    assert nave("show", "customer/S1", hub=hub).status == 0


def test_who_settled_a_letter_is_in_the_audit(full: Path) -> None:
    nave("dead", "discard", "--all", "--yes", "--as", "li.wei", hub=full)

    store = open_store(f"sqlite:///{full / 'nave.db'}")
    with store.read() as tx:
        rows = tx.rows(sa.select(t.audit.c.actor, t.audit.c.action))
    store.close()
    assert rows == [("li.wei", "dead.discarded")]


@pytest.mark.parametrize("arguments", [[], ["--all", "ABC"]])
def test_letters_must_be_chosen_in_one_way(full: Path, arguments: list[str]) -> None:
    assert nave("dead", "discard", *arguments, hub=full).status == 2

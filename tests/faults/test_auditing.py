"""Check L10 by itself, against what the hub's own code seals: nothing wrong where it is whole, and each way to spoil it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from nave.core import audit
from nave.core.clock import id_text
from nave.core.heads import HeadsFile
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from tests.faults.auditing import Audit, Kept, audited, collected
from tests.faults.ledger import Ledger

GIVEN_UP = (101, 102, 103)


def asked(folder: Path, *letters: int, heard: str = "done") -> None:
    with Ledger(folder / "ledgers" / "clerk.jsonl") as ledger:
        for letter in letters:
            ledger.write({"what": "asked", "id": id_text(letter)}, {"what": heard, "id": id_text(letter)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three letters that were given up, sealed, with a head."""
    store = open_store(f"sqlite:///{tmp_path / 'nave.db'}")
    with store.write() as tx:
        for number, letter in enumerate(GIVEN_UP, start=1):
            audit.enter(
                tx,
                number,
                "clerk",
                "dead.discarded",
                f"web.sales:{id_text(letter)}",
                {"code": "NAVE-M104", "说": "明"},
                1.25,
            )
        end = audit.seal(tx)
    store.close()
    HeadsFile(tmp_path / "audit-heads.jsonl").keep_up(end.place, end.hash, 2.0)
    asked(tmp_path, *GIVEN_UP)
    return tmp_path


def found(folder: Path, *open_letters: int) -> list[str]:
    return list(audited(collected(folder, None, frozenset(map(id_text, open_letters)))))


def changed(folder: Path, *statements: sa.Executable) -> None:
    store: Store = open_store(f"sqlite:///{folder / 'nave.db'}")
    with store.write() as tx:
        for statement in statements:
            tx.execute(statement)
    store.close()


def test_what_the_hub_seals_fits_what_is_computed_here(folder: Path) -> None:
    assert found(folder) == []


def test_what_was_asked_and_never_done_is_open_and_has_no_entry(folder: Path) -> None:
    asked(folder, 104, heard="failed")

    assert found(folder, 104) == []
    assert found(folder) == [f"letter {id_text(104)} is settled and has 0 entries"]


def test_what_was_done_and_its_answer_lost_is_settled_with_its_entry(folder: Path) -> None:
    asked(folder, GIVEN_UP[0], heard="failed")
    assert found(folder) == []


SPOILT: tuple[tuple[str, Callable[[Path], None], str], ...] = (
    (
        "edited",
        lambda at: changed(at, sa.update(t.audit).where(t.audit.c.place == 2).values(at=7.5)),
        "entry 2 does not follow",
    ),
    ("deleted", lambda at: changed(at, sa.delete(t.audit).where(t.audit.c.place == 2)), "entry 3 does not follow on 1"),
    ("cut off", lambda at: changed(at, sa.delete(t.audit).where(t.audit.c.place == 3)), "the last head is of entry 3"),
    ("no head", lambda at: (at / "audit-heads.jsonl").unlink(), "the last head is of entry 0, the chain ends at 3"),
    ("never sealed", lambda at: changed(at, sa.update(t.audit).values(place=None)), "never sealed"),
    ("not asked", lambda at: (at / "ledgers" / "clerk.jsonl").unlink(), "nobody gave letter"),
    (
        "twice",
        lambda at: changed(at, sa.update(t.audit).where(t.audit.c.place == 2).values(subject=f"web.sales:{id_text(101)}")),
        f"letter {id_text(101)} is settled and has 2 entries",
    ),
)


@pytest.mark.parametrize(("spoil", "text"), [one[1:] for one in SPOILT], ids=[one[0] for one in SPOILT])
def test_a_record_that_is_not_what_was_done_is_found(folder: Path, spoil: Callable[[Path], None], text: str) -> None:
    spoil(folder)
    assert any(text in one for one in found(folder)), found(folder)


def test_a_letter_that_was_said_to_be_given_up_and_is_open_is_found(folder: Path) -> None:
    assert f"letter {id_text(101)} was given up, and is open" in found(folder, 101)


@pytest.mark.parametrize(
    "kept", [Kept(1, 1, 0, None), Kept(1, 4, 3, 3), Kept(1, 1_000_004, 3, 1_000_003), Kept(1, 1_000_001, 0, None)]
)
def test_all_former_versions_are_there_also_after_a_restore(kept: Kept) -> None:
    assert list(audited(Audit(versions=[kept]))) == []


@pytest.mark.parametrize("kept", [Kept(1, 4, 2, 3), Kept(1, 4, 3, 4), Kept(1, 2, 0, None), Kept(1, 1, 1, 1)])
def test_a_former_version_that_is_missing_or_too_many_is_found(kept: Kept) -> None:
    assert len(list(audited(Audit(versions=[kept])))) == 1

"""The audit in the store: entered with what it tells of, sealed behind it, and whole on every store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from nave.core import audit
from nave.core.chain import flaws
from nave.core.heads import HeadsFile
from nave.core.store import Store, open_store
from nave.core.store import schema as t

_a = t.audit.c


def enter(store: Store, *numbers: int, actor: str = "李伟") -> None:
    with store.write() as tx:
        for number in numbers:
            audit.enter(tx, number, actor, "pin.set", f"customer/{number}", {"reason": f'say "so" {number}\n'}, 1.1 * number)


def seal(store: Store) -> audit.End:
    with store.write() as tx:
        return audit.seal(tx)


def wrong(store: Store, heads: HeadsFile | None = None) -> list[tuple[str, int, int]]:
    with store.read() as tx:
        return [tuple(one) for one in flaws(audit.chain(tx), heads.read().by_place if heads else {})]


def change(store: Store, *statements: sa.Executable) -> None:
    with store.write() as tx:
        for statement in statements:
            tx.execute(statement)


def test_entries_are_sealed_in_their_order_a_page_at_a_time_and_each_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 3)
    enter(store, 5, 1, 4, 2, 3)
    ends = [seal(store).place for _ in range(3)]
    enter(store, 7, 6)
    ends.append(seal(store).place)

    with store.read() as tx:
        chain, left = list(audit.chain(tx)), audit.unsealed(tx)
    assert ends == [3, 5, 5, 7]
    assert [one.entry.id for one in chain] == [1, 2, 3, 4, 5, 6, 7]
    assert left == 0
    assert wrong(store) == []


def test_what_is_undone_leaves_no_entry(store: Store) -> None:
    def fails() -> None:
        with store.write() as tx:
            audit.enter(tx, 1, "li.wei", "pin.set", "customer/1", {}, 1.0)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert seal(store).place == 0


def test_several_that_seal_at_once_make_one_chain(store: Store) -> None:
    enter(store, *range(1, 301))
    failed: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 20):
                enter(store, number)
                seal(store)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(1_000 * number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert seal(store).place == 380
    assert wrong(store) == []


def test_a_store_of_an_older_time_is_sealed_as_it_stands(store: Store) -> None:
    enter(store, *range(1, 2_501))
    for _ in range(3):
        seal(store)
    assert seal(store).place == 2_500
    assert wrong(store) == []


_TAMPERED: tuple[tuple[str, Callable[[], tuple[sa.Executable, ...]], list[tuple[str, int, int]]], ...] = (
    ("edited", lambda: (sa.update(t.audit).where(_a.id == 4).values(actor="nobody"),), [("NAVE-E140", 4, 4)]),
    ("deleted", lambda: (sa.delete(t.audit).where(_a.id.in_([4, 5])),), [("NAVE-E141", 4, 5)]),
    (
        "reordered",
        lambda: (
            sa.update(t.audit).where(_a.id == 4).values(place=99),
            sa.update(t.audit).where(_a.id == 5).values(place=4),
            sa.update(t.audit).where(_a.id == 4).values(place=5),
        ),
        [("NAVE-E140", 4, 4), ("NAVE-E140", 5, 5), ("NAVE-E140", 6, 6)],
    ),
    ("cut off", lambda: (sa.delete(t.audit).where(_a.id > 7),), [("NAVE-E142", 8, 10)]),
    ("taken out of the chain", lambda: (sa.update(t.audit).where(_a.id == 4).values(place=None),), [("NAVE-E141", 4, 4)]),
)


@pytest.mark.parametrize(("statements", "found"), [one[1:] for one in _TAMPERED], ids=[one[0] for one in _TAMPERED])
def test_whatever_is_done_to_it_is_found(
    store: Store, tmp_path: Path, statements: Callable[[], tuple[sa.Executable, ...]], found: list[tuple[str, int, int]]
) -> None:
    heads = HeadsFile(tmp_path / "heads")
    enter(store, *range(1, 11))
    end = seal(store)
    heads.keep_up(end.place, end.hash, 1.0)
    assert wrong(store, heads) == []

    change(store, *statements())

    assert wrong(store, heads) == found


def test_an_older_copy_in_its_place_is_found_also_when_it_has_gone_on(tmp_path: Path) -> None:
    heads, urls = HeadsFile(tmp_path / "heads"), [f"sqlite:///{tmp_path / name}" for name in ("new.db", "old.db")]
    new, old = open_store(urls[0]), open_store(urls[1])
    for store in (new, old):
        enter(store, 1, 2, 3)
        seal(store)
    enter(new, 4, 5)
    end = seal(new)
    heads.keep_up(end.place, end.hash, 1.0)

    assert wrong(old, heads) == [("NAVE-E142", 4, 5)]
    enter(old, 14, 15, 16)
    seal(old)
    assert wrong(old, heads) == [("NAVE-E143", 5, 5)]
    new.close()
    old.close()


def test_entries_are_found_by_who_what_and_to_what(store: Store) -> None:
    enter(store, 1, 2, 12)
    enter(store, 3, actor="wang.fang")
    with store.write() as tx:
        audit.enter(tx, 4, "wang.fang", "pin_set", "order/1", {}, 4.0)
    seal(store)
    enter(store, 13)

    def found(limit: int = 10, **which: str) -> list[tuple[int, int | None]]:
        with store.read() as tx:
            return [(one.id, place) for one, place in audit.entries(tx, limit, **which)]

    assert found(2) == [(13, None), (12, 5)]
    assert found(actor="wang.fang") == [(4, 4), (3, 3)]
    assert found(action="pin.") == [(13, None), (12, 5), (3, 3), (2, 2), (1, 1)]
    assert found(action="pin_") == [(4, 4)]
    assert found(subject="customer/1") == [(13, None), (12, 5), (1, 1)]

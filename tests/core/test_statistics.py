"""A young hub's statements find a key by the whole of an index, however soon after its tables have grown."""

from __future__ import annotations

import time

import sqlalchemy as sa

from nave.core.store import Store, statistics
from nave.core.store import schema as t

_COLUMNS = (
    "entity",
    "system",
    "key",
    "source",
    "record_id",
    "version",
    "changed_at",
    "arrival",
    "hash",
    "doc",
    "journal_id",
    "place",
)
_ROWS = 2_000


def fill(store: Store, first: int = 0) -> None:
    numbers = range(first, first + _ROWS)
    rows = [("customer", "crm", f"C{n:05}", "crm.customer", n, "1", 1.0, n, b"h", "{}", 1, n) for n in numbers]
    with store.write() as tx:
        if not store.embedded:  # or the server might come first
            tx.execute(sa.text("ALTER TABLE source_record SET (autovacuum_enabled = off)"))
        tx.insert(t.source_record, _COLUMNS, rows)


def renewed(store: Store, seconds: float = 15.0) -> list[str]:
    """What a look finds once the server has counted the rows: it does so about once a second."""
    end = time.monotonic() + seconds
    found: list[str] = []
    while "source_record" not in found and time.monotonic() < end:
        time.sleep(0.2)
        found = statistics.renew(store)
    return found


def condition(store: Store) -> str:
    """What of a look-up by entity, system and keys the index answers, as the server plans it now."""
    with store.read() as tx:
        lines = tx.rows(
            sa.text(
                "EXPLAIN SELECT record_id FROM source_record WHERE entity = 'customer' AND system = 'crm'"
                " AND key = ANY(ARRAY['C00001', 'C00900', 'C01999'])"
            )
        )
    return " ".join(line for (line,) in lines if "Index Cond" in line)


def test_a_table_that_grew_is_analysed_once_and_a_key_is_found_by_the_whole_index(store: Store) -> None:
    fill(store)
    if store.embedded:
        assert statistics.renew(store) == []
        return
    assert "(key)" not in condition(store)
    assert "source_record" in renewed(store)
    assert "(key)" in condition(store)
    assert "source_record" not in renewed(store, 3.0)


def test_a_table_is_analysed_again_when_it_has_doubled(store: Store) -> None:
    fill(store)
    if store.embedded:
        assert statistics.renew(store) == []
        return
    assert "source_record" in renewed(store)
    fill(store, _ROWS)
    fill(store, 2 * _ROWS)
    assert "source_record" in renewed(store)

"""Two versions of the code on one store: what fits works side by side, what does not is told so in plain words."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from nave.core.errors import ConfigError
from nave.core.store import Store, migrate, open_store
from nave.core.store import schema as t


def newer(store: Store, *fitting: str) -> None:
    """The store as a version that is not written yet would leave it, fit for code of these revisions."""
    with store.write() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        tx.execute(sa.delete(t.compatible))
        tx.execute(sa.insert(t.compatible), [{"revision": one} for one in fitting])


def test_a_store_says_of_itself_which_code_may_work_on_it(store: Store) -> None:
    with store.read() as tx:
        assert tx.rows(sa.select(t.compatible.c.revision)) == [(migrate.HEAD,)]


def test_older_code_works_on_a_store_that_newer_code_has_only_added_to(store: Store, store_url: str) -> None:
    newer(store, migrate.HEAD, "9999")

    again = open_store(store_url)

    with again.write() as tx:
        tx.upsert(t.checkpoint, ("source", "position", "at"), [("a", "x", 1.0)])
        assert tx.rows(sa.text("SELECT version_num FROM alembic_version")) == [("9999",)]
    again.close()


def test_older_code_refuses_a_store_from_which_newer_code_has_taken_something_away(store: Store, store_url: str) -> None:
    newer(store, "9999")

    with pytest.raises(ConfigError) as refused:
        open_store(store_url)

    assert refused.value.code == "NAVE-E012"
    assert "9999" in refused.value.text()
    assert "9999" in refused.value.text("zh")

"""One store of each kind for all tests of the steps, emptied before each; and examples that nobody times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from nave.core.store import Store, open_store
from nave.core.store.schema import metadata
from nave.workers import prepare
from tests.servers.private import fresh_database

settings.register_profile("ci", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("ci")


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An embedded store that many tests use, one after the other."""
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def postgres_store(postgres_server: str) -> Iterator[Store]:
    """A store on a server that many tests use, one after the other."""
    with fresh_database(postgres_server, driver="postgresql+psycopg", drop="WITH (FORCE)") as url:
        opened = open_store(url)
        yield opened
        opened.close()


@pytest.fixture(autouse=True)
def small_batches_are_looked_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told by its raw form to be unchanged is so in every test, not only in batches that are worth it."""
    monkeypatch.setattr(prepare, "_WORTH_A_LOOK", 1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store of each kind."""
    kind = "sqlite" if request.param == "sqlite" else "postgres"
    opened: Store = request.getfixturevalue(f"{kind}_store")
    with opened.write() as tx:
        for table in metadata.tables.values():
            tx.execute(sa.delete(table))
    return opened

"""What all tests share: real servers, fresh databases, and a refusal to skip silently where everything must run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nave.core.store import Store, open_store
from tests.servers import postgres, postgres_programs
from tests.servers.private import fresh_database, named_or_own


def missing(what: str) -> None:
    """Skip on a laptop, fail in CI, where the set-up is ours."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is not here, and in CI it must be", pytrace=False)
    pytest.skip(f"{what} is not here; `make test` installs it on Debian, as root")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server: one that the environment names, or one of our own."""
    yield from named_or_own("NAVE_TEST_POSTGRES_URL", postgres_programs(), postgres, "PostgreSQL")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh database on a real PostgreSQL server."""
    with fresh_database(postgres_server, driver="postgresql+psycopg", drop="WITH (FORCE)") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same test, on every store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    opened = open_store(store_url)
    yield opened
    opened.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, so that the quick loop can leave it out."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if ("postgres_url" in fixtures and "store_url" not in fixtures) or "postgresql" in parameters.values():
            item.add_marker(pytest.mark.service)

"""Tryton as a fixture; a test module names this module in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.tryton import Erp, tryton, tryton_home


@pytest.fixture(scope="session")
def erp() -> Iterator[Erp]:
    """A running server that many tests share, none of which stops it."""
    home = tryton_home()
    if home is None:
        _missing()
    else:
        with tryton(home) as running:
            yield running


@pytest.fixture
def own_erp() -> Iterator[Erp]:
    """A running server of a test's own, to be killed."""
    home = tryton_home()
    if home is None:
        _missing()
    else:
        with tryton(home) as running:
            yield running


def _missing() -> None:
    from tests.conftest import missing  # it loads before any plugin, and holds the one rule

    missing("Tryton")

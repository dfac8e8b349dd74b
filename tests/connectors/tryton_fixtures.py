"""What tests on a real Tryton share; a test module names this module in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from nave.connectors.tryton.options import TrytonOptions
from nave.connectors.tryton.peer import Peer
from tests.connectors.tryton_rows import options
from tests.servers.tryton import Erp

_numbers = count(1)


@pytest.fixture(params=["rest", pytest.param("json-rpc", marks=pytest.mark.long)])
def way_in(request: pytest.FixtureRequest, erp: Erp) -> TrytonOptions:
    """The same test in each of Tryton's languages; a login is slow on purpose, so most of them are long in the second."""
    return options(erp, rest=request.param == "rest")


@pytest.fixture
def prefix() -> str:
    """Rows of one test begin with it."""
    return f"T{next(_numbers)}-"


@pytest.fixture
def peer(erp: Erp) -> Iterator[Peer]:
    with erp.peer() as opened:
        yield opened

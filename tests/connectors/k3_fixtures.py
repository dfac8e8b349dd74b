"""A stand-in for K/3 Cloud as a fixture; a test module names this module in `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers.k3cloud import K3
from tests.peers.running import running


@pytest.fixture(scope="module")
def data_centre() -> Iterator[tuple[K3, str]]:
    made = K3()
    with running(made.app()) as url:
        yield made, f"{url}/K3Cloud"


@pytest.fixture
def k3(data_centre: tuple[K3, str]) -> K3:
    made, _ = data_centre
    vars(made).update(vars(K3()), logins=made.logins)
    return made


@pytest.fixture
def url(data_centre: tuple[K3, str], k3: K3) -> str:
    return data_centre[1]

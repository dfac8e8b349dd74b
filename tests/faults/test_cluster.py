"""The small share of the faults below the hub that every change has to stand: `python -m tests.faults` does the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults import cluster, cluster_broker
from tests.faults.driving import Round

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.service, pytest.mark.timeout(900)]
_SLOWEST = 60.0
"""Seconds that any return to work may take on the slowest machine; the report has the real ones."""


def _well(done: Round) -> None:
    assert done.problems == []
    worst = done.detail.get("worst", 0.0)
    assert isinstance(worst, float)
    assert worst < _SLOWEST


@pytest.fixture
def servers() -> None:
    if not cluster_broker.has_both():
        missing("PostgreSQL with RabbitMQ")


def test_ten_kills_of_postgresql_lose_nothing_and_repeat_nothing(tmp_path: Path, servers: None) -> None:
    _well(cluster.postgres_kills(1, tmp_path / "hub", count=10))


def test_commits_whose_answers_are_lost_have_no_second_effect(tmp_path: Path, servers: None) -> None:
    _well(cluster.commit_cuts(2, tmp_path / "hub", count=10))


def test_a_network_that_goes_silent_does_not_hang_the_hub(tmp_path: Path, servers: None) -> None:
    _well(cluster.half_opens(3, tmp_path / "hub", count=2))


def test_six_kills_of_broker_nodes_lose_nothing_and_slow_nothing_for_long(tmp_path: Path, servers: None) -> None:
    _well(cluster_broker.broker_kills(4, tmp_path / "hub", count=6))


def test_the_hub_goes_on_without_any_broker(tmp_path: Path, servers: None) -> None:
    _well(cluster_broker.broker_downs(0, tmp_path / "hub", count=1, seconds=10.0))


def test_three_partitions_of_the_broker_lose_nothing_and_stop_nothing(tmp_path: Path, servers: None) -> None:
    if not cluster_broker.has_network():
        missing("a way to make network namespaces (root, ip, nft)")
    _well(cluster_broker.partitions(5, tmp_path / "hub", count=3, seconds=(20.0, 22.0)))

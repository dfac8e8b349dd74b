"""Kills and partitions of a three-node RabbitMQ under a hub in several processes: hints are only hints, but fast ones."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from tests.faults.cluster_load import PACE, Watch, loaded
from tests.faults.cluster_network import Network, can_partition, network
from tests.faults.cluster_postgres import has_postgres, primary
from tests.faults.driving import Driver, Round
from tests.faults.killing import one_moment, settle
from tests.faults.syscalls_child import turn
from tests.servers import Cluster, rabbitmq_cluster, rabbitmq_programs

KILLS = 6
_NODES = 3
_AFTER_KILL = 12.0
"""Seconds that a kill, a restart and the measuring after it keep the load going, about."""


def broker_kills(seed: int, folder: Path, *, count: int = KILLS) -> Round:
    """SIGKILL of each node in turn; two are left, and the hub must be fast again with them."""
    chance, watch, messages = random.Random(seed), Watch(), int(count * _AFTER_KILL / PACE)
    with (
        _cluster() as cluster,
        primary() as server,
        loaded(folder, seed, server.url(), messages, broker=cluster.url, apart=True) as one,
    ):
        for number in range(count):
            index = number % _NODES
            began = time.monotonic()
            cluster.kill(index)
            watch.fast(one, began, f"kill {number + 1} of a broker node")
            one_moment(chance.uniform(0.0, 1.0))
            cluster.start(index)
        problems = watch.problems + settle(one)
    return Round(count, problems, detail=watch.detail, also={"message": messages})


def broker_downs(seed: int, folder: Path, *, count: int = 1, seconds: float = 20.0) -> Round:
    """Two of three nodes down, or all three: without any broker the hub goes on, and is fast soon after its return."""
    watch, messages = Watch(), int(count * (seconds + 25.0) / PACE)
    with (
        _cluster() as cluster,
        primary() as server,
        loaded(folder, seed, server.url(), messages, broker=cluster.url, apart=True) as one,
    ):
        for number in range(count):
            down = list(range((turn(seed) + number) % 2, _NODES))
            for index in down:
                cluster.kill(index)
            watch.goes_on(one, seconds, f"{len(down)} of {_NODES} nodes down")
            for index in down:
                cluster.start(index, wait=False)
            for index in down:
                cluster.nodes[index].wait()
            watch.fast(one, time.monotonic(), f"the return of {len(down)} nodes")
        problems = watch.problems + settle(one)
    return Round(count, problems, detail=watch.detail, also={"message": messages})


SHAPES: dict[str, Sequence[tuple[int, int]]] = {
    "one node": ((0, 1), (1, 0), (0, 2), (2, 0)),
    "one way": ((0, 1), (0, 2)),
    "each alone": ((0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)),
    "one link": ((0, 1), (1, 0)),
    "ring": ((0, 1), (1, 2), (2, 0)),
}
"""Which ways are cut."""


def partitions(seed: int, folder: Path, *, count: int = 3, seconds: tuple[float, float] = (20.0, 30.0)) -> Round:
    """The broker's nodes lose one another for a while; the hub reaches all of them, and some take nothing."""
    pace = 3 * PACE  # nodes that are apart confirm slowly: what is told faster only waits, and is worked off for minutes
    chance, watch, messages = random.Random(seed), Watch(), int(count * (seconds[1] + 35.0) / pace)
    names = list(SHAPES)
    shapes = [names[(turn(seed) + number) % len(names)] for number in range(count)]
    with (
        network(_NODES) as joined,
        primary() as server,
        loaded(folder, seed, server.url(), messages, broker=joined.url, apart=True, pace=pace) as one,
    ):
        for shape in shapes:
            joined.cut(_turned(SHAPES[shape], chance.randrange(_NODES)))
            watch.goes_on(one, chance.uniform(*seconds), f"partition ({shape})")
            began = time.monotonic()
            joined.heal()
            watch.fast(one, began, f"healing of {shape}")
        problems = watch.problems + settle(one)
        problems += _whole(joined)
    return Round(count, problems, detail=watch.detail | {"shapes": shapes}, also={"message": messages})


def _turned(ways: Sequence[tuple[int, int]], by: int) -> list[tuple[int, int]]:
    return [((sender + by) % _NODES, (receiver + by) % _NODES) for sender, receiver in ways]


def _whole(joined: Network) -> list[str]:
    """A broker that did not mend itself is told, though it is no fault of the hub."""
    return [] if joined.whole() else ["the broker's nodes did not find one another again"]


def _cluster() -> AbstractContextManager[Cluster]:
    programs = rabbitmq_programs()
    assert programs is not None
    return rabbitmq_cluster(programs, _NODES)


def has_both() -> bool:
    """Whether PostgreSQL and RabbitMQ are here."""
    return has_postgres() and rabbitmq_programs() is not None


def has_network() -> bool:
    """Whether namespaces can be made here, too."""
    return has_both() and can_partition()


DRIVERS = (
    Driver("broker-kill", broker_kills, "postgresql, rabbitmq", has_both),
    Driver("broker-down", broker_downs, "postgresql, rabbitmq", has_both),
    Driver("partition", partitions, "postgresql, rabbitmq", has_network),
)

"""RabbitMQ nodes in network namespaces of their own, so that the way between any two of them can be cut, also one way.

A bridge in the machine's own namespace joins them and the hub; who is cut off drops what comes from the other by nftables.
Needs root, `ip` and `nft`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.servers.rabbitmq import VHOST, Node, rabbitmq_programs

_PORT, _DIST, _EPMD = 25_672, 25_673, 25_674
"""The same in each namespace."""
_SECONDS = 120.0


@dataclass
class ApartNode(Node):
    """A node at an address of its own."""

    address: str = ""
    space: str = ""

    def url_of(self, vhost: str = VHOST) -> str:
        """Where clients come in."""
        return super().url_of(vhost).replace("127.0.0.1", self.address)

    @property
    def environment(self) -> dict[str, str]:
        """With full names, since each has its own address."""
        told = {**super().environment, "RABBITMQ_USE_LONGNAME": "true"}
        del told["ERL_EPMD_ADDRESS"]
        return told


@dataclass(frozen=True)
class Network:
    """Nodes, and what lies between them."""

    nodes: Sequence[ApartNode]

    @property
    def url(self) -> str:
        """All of them, as the hub takes it."""
        return ";".join(node.url for node in self.nodes)

    def cut(self, ways: Iterable[tuple[int, int]]) -> None:
        """Each way: nothing from the first reaches the second any more."""
        for sender, receiver in ways:
            source = self.nodes[sender].address
            _nft(self.nodes[receiver].space, f"add rule inet faults input ip saddr {source} drop")

    def heal(self) -> None:
        """All ways are open again."""
        for node in self.nodes:
            _nft(node.space, "flush chain inet faults input")

    def whole(self) -> bool:
        """Whether each node sees all the others."""
        try:
            seen = [node.ctl("eval", "length(rabbit_nodes:all_running()).").strip() for node in self.nodes]
        except (RuntimeError, subprocess.TimeoutExpired):
            return False
        return seen == [str(len(self.nodes))] * len(self.nodes)


@cache
def can_partition() -> bool:
    """Whether namespaces can be made here."""
    if os.getuid() != 0 or not all(map(shutil.which, ("ip", "nft"))) or rabbitmq_programs() is None:
        return False
    name = f"nave-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        _ip("netns", "del", name)
    return made


@contextmanager
def network(count: int = 3) -> Iterator[Network]:
    """So many nodes in one cluster, each in its own namespace; nothing of it is left behind the block."""
    programs = rabbitmq_programs()
    assert programs is not None
    mark = secrets.token_hex(3)
    prefix = f"10.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nave-net-", ignore_cleanup_errors=True)))
        bridge = f"nv{mark}"
        _ip("link", "add", bridge, "type", "bridge")
        stack.callback(_ip, "link", "del", bridge)
        _ip("addr", "add", f"{prefix}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        addresses = [f"{prefix}.{11 + number}" for number in range(count)]
        cookie = secrets.token_hex(16)
        nodes = []
        for number, address in enumerate(addresses):
            space = f"nv{mark}-{number}"
            stack.enter_context(_space(space, bridge, address, f"nv{mark}{number}"))
            nodes.append(_node(folder / str(number), programs, space, address, addresses, cookie))
            stack.callback(nodes[-1].kill)
        joined = Network(nodes)
        _start(joined)
        yield joined


@contextmanager
def _space(name: str, bridge: str, address: str, link: str) -> Iterator[None]:
    _ip("netns", "add", name)
    mapper = None
    try:
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", link, "master", bridge, "up")
        for words in (
            ["link", "set", "lo", "up"],
            ["addr", "add", f"{address}/24", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
        ):
            _ip("-n", name, *words)
        _nft(name, "add table inet faults")
        _nft(name, "add chain inet faults input { type filter hook input priority 0; }")
        epmd = shutil.which("epmd") or str(next(Path("/usr/lib/erlang").glob("**/bin/epmd")))
        mapper = subprocess.Popen(["ip", "netns", "exec", name, epmd, "-port", str(_EPMD)], stdout=subprocess.DEVNULL)
        yield
    finally:
        if mapper is not None:
            mapper.kill()
            mapper.wait(20)
        _empty(name)
        _ip("link", "del", link)
        _ip("netns", "del", name)


def _empty(space: str) -> None:
    """End whatever still runs in a namespace: what a node started in the background would outlive it."""
    found = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True, check=False).stdout
    for pid in found.split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def _node(home: Path, programs: Path, space: str, address: str, addresses: Sequence[str], cookie: str) -> ApartNode:
    wrapped = home / "bin"
    wrapped.mkdir(parents=True)
    for program in ("rabbitmq-server", "rabbitmqctl"):
        (wrapped / program).write_text(f'#!/bin/sh\nexec ip netns exec {space} {programs / program} "$@"\n')
        (wrapped / program).chmod(0o755)
    secret = home / ".erlang.cookie"
    secret.write_text(cookie)
    secret.chmod(0o400)
    peers = {f"cluster_formation.classic_config.nodes.{n + 1}": f"nave@{one}" for n, one in enumerate(addresses)}
    settings = {
        "listeners.tcp.1": f"0.0.0.0:{_PORT}",
        "cluster_formation.peer_discovery_backend": "classic_config",
        "cluster_partition_handling": "pause_minority",
        "net_ticktime": "10",
        **peers,
    }
    return ApartNode(f"nave@{address}", home, wrapped, _PORT, _DIST, _EPMD, settings, address=address, space=space)


def _start(joined: Network) -> None:
    for node in joined.nodes:
        node.start(wait=False)
    for node in joined.nodes:
        node.wait()
    deadline = time.monotonic() + _SECONDS
    while not joined.whole():
        assert time.monotonic() < deadline, "the nodes did not find one another"


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr}")


def _nft(space: str, rule: str) -> None:
    with suppress(FileNotFoundError):
        done = subprocess.run(["ip", "netns", "exec", space, "nft", rule], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"nft {rule}: {done.stderr}")

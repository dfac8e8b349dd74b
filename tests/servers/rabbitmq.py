"""Private RabbitMQ nodes: own names, ports, folders, cookie and port mapper; alone or as a cluster on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import kombu

from tests.servers.ports import free_ports

_DEBIAN = Path("/usr/lib/rabbitmq/bin")
USER, PASSWORD, VHOST = "nave", "nave-test", "nave"
_STARTING = 120.0
"""Seconds that a node may take on a busy machine."""


def rabbitmq_programs() -> Path | None:
    """The folder of rabbitmq-server and rabbitmqctl themselves, not of Debian's wrappers; None where there are none."""
    if (_DEBIAN / "rabbitmq-server").exists():
        return _DEBIAN
    found = shutil.which("rabbitmq-server")
    return Path(found).resolve().parent if found else None


@dataclass
class Node:
    """One RabbitMQ node, which can be stopped, killed, emptied and started again."""

    name: str
    home: Path
    programs: Path
    port: int
    dist_port: int
    epmd_port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further lines of rabbitmq.conf."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients come in, on the vhost that the node makes at its first start."""
        return self.url_of(VHOST)

    def url_of(self, vhost: str) -> str:
        """The same for another vhost."""
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{vhost}"

    def start(self, *, wait: bool = True) -> None:
        """Start it with what its folder holds; with `wait`, until a client can log in."""
        self._write_files()
        with (self.home / "console.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "rabbitmq-server"],
                env={**self.environment, "RUNNING_UNDER_SYSTEMD": "true"},  # no shell between us and the node
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self.home,
            )
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until a client can log in."""
        deadline = time.monotonic() + _STARTING
        while time.monotonic() < deadline and self.process and self.process.poll() is None:
            if self.answers():
                return
            time.sleep(0.1)
        raise RuntimeError(f"RabbitMQ did not start:\n{(self.home / 'console.log').read_text('utf-8')[-2000:]}")

    def answers(self) -> bool:
        """Whether a client can log in."""
        connection = kombu.Connection(self.url, connect_timeout=2)
        try:
            connection.connect()
        except Exception:  # each client library raises its own
            return False
        finally:
            connection.release()
        return True

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Freeze or thaw it."""
        if self.process:
            os.killpg(self.process.pid, number)

    def wipe(self) -> None:
        """Forget all it ever knew; only while it is down."""
        assert self.process is None
        shutil.rmtree(self.home / "mnesia", ignore_errors=True)

    def ctl(self, *words: str) -> str:
        """What rabbitmqctl answers."""
        command = [str(self.programs / "rabbitmqctl"), "-q", *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {' '.join(words)}: {done.stderr}{done.stdout}")
        return done.stdout

    def add_vhost(self, vhost: str) -> None:
        """A further vhost in which the tests' user may do everything."""
        self.ctl("add_vhost", vhost)
        self.ctl("set_permissions", "-p", vhost, USER, ".*", ".*", ".*")

    @property
    def environment(self) -> dict[str, str]:
        """What the node and its tools are told."""
        return {
            **os.environ,
            "HOME": str(self.home),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RABBITMQ_CONFIG_FILE": str(self.home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.home / "no-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.home / "log"),
            "RABBITMQ_PID_FILE": str(self.home / "pid"),
            # Several nodes share few cores with the tests: none of them may spin while it waits.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _write_files(self) -> None:
        lines = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}",
            "default_user": USER,
            "default_pass": PASSWORD,
            "default_vhost": VHOST,
            "loopback_users": "none",
            "disk_free_limit.absolute": "1MB",
            "log.console": "false",
            **self.settings,
        }
        (self.home / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
        (self.home / "plugins").write_text("[].\n")
        (self.home / "no-env.conf").touch()

    def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its small children too
            process.wait(20)


@dataclass(frozen=True)
class Cluster:
    """Nodes that form one cluster; each by its index."""

    nodes: Sequence[Node]

    @property
    def url(self) -> str:
        """One URL with all nodes, as kombu takes it: whichever answers."""
        return ";".join(node.url for node in self.nodes)

    def kill(self, index: int) -> None:
        """End one at once."""
        self.nodes[index].kill()

    def stop(self, index: int) -> None:
        """End one in good order."""
        self.nodes[index].stop()

    def start(self, index: int, *, wait: bool = True) -> None:
        """Start one again."""
        self.nodes[index].start(wait=wait)

    def running(self) -> int:
        """How many nodes a running one sees, itself among them."""
        first = next(node for node in self.nodes if node.process)
        return int(first.ctl("eval", "length(rabbit_nodes:all_running()).").strip())


@contextmanager
def rabbitmq_node(programs: Path, *, settings: Mapping[str, str] | None = None) -> Iterator[Node]:
    """One running node."""
    with _nodes(programs, 1, settings or {}) as nodes:
        nodes[0].start()
        yield nodes[0]


@contextmanager
def rabbitmq(programs: Path) -> Iterator[str]:
    """The URL of a running node's own vhost, with a user who may do everything there."""
    with rabbitmq_node(programs) as node:
        yield node.url


@contextmanager
def rabbitmq_cluster(programs: Path, count: int = 3, *, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """So many running nodes in one cluster."""
    with _nodes(programs, count, settings or {}) as nodes:
        for node in nodes:
            node.start(wait=False)
        for node in nodes:
            node.wait()
        cluster = Cluster(nodes)
        deadline = time.monotonic() + _STARTING
        while cluster.running() < count:
            assert time.monotonic() < deadline, "the nodes did not find one another"
            time.sleep(0.2)
        yield cluster


@contextmanager
def _nodes(programs: Path, count: int, settings: Mapping[str, str]) -> Iterator[list[Node]]:
    epmd_port, *ports = free_ports(1 + 2 * count)
    names = [f"nave{index}-{os.getpid()}-{epmd_port}@localhost" for index in range(count)]
    lines = {**_peers(names), **settings}
    cookie = secrets.token_hex(16)
    with _port_mapper(epmd_port), tempfile.TemporaryDirectory(prefix="nave-mq-", ignore_cleanup_errors=True) as folder:
        nodes = []
        with ExitStack() as ends:
            for index, name in enumerate(names):
                home = _home(Path(folder) / str(index), cookie)
                node = Node(name, home, programs, ports[2 * index], ports[2 * index + 1], epmd_port, lines)
                ends.callback(node.kill)
                nodes.append(node)
            yield nodes


def _home(home: Path, cookie: str) -> Path:
    home.mkdir()
    secret = home / ".erlang.cookie"
    secret.write_text(cookie)
    secret.chmod(0o400)
    return home


def _peers(names: Sequence[str]) -> dict[str, str]:
    if len(names) == 1:
        return {}
    listed = {f"cluster_formation.classic_config.nodes.{index + 1}": name for index, name in enumerate(names)}
    return {"cluster_formation.peer_discovery_backend": "classic_config", **listed}


@contextmanager
def _port_mapper(port: int) -> Iterator[None]:
    """Erlang's epmd as a child of ours: the one that a node starts by itself would outlive it."""
    epmd = shutil.which("epmd") or str(next(Path("/usr/lib/erlang").glob("**/bin/epmd")))
    mapper = subprocess.Popen([epmd, "-port", str(port), "-address", "127.0.0.1"], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        mapper.kill()
        mapper.wait(20)

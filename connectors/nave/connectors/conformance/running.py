"""Runs one way of a connector against one behaviour, with an end however the connector behaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from nave.connectors.conformance.behaviours import WELL, Behaviour
from nave.connectors.conformance.report import Row, Verdict
from nave.connectors.conformance.sinks import Peer, Sent, deliver, judge_sent
from nave.connectors.conformance.sources import Landed, judge_landed, read
from nave.connectors.conformance.ways import At, SinkWay, SourceWay
from nave.core.errors import ConfigError
from nave.core.protocols import ConnectorSpec

LIMIT = 40.0
"""Seconds that all calls of one run may take together; the connector's own limits are one second where they matter."""
_LAST = 10.0
_AT_ONCE = 6


def sink_row(
    spec: ConnectorSpec, way: SinkWay, at: At, peer: Peer, behaviour: Behaviour, begins: int = 0, *, limit: float = LIMIT
) -> Row:
    """How a way of sending stands a behaviour."""
    sent = Sent()
    ended = _watched(lambda: deliver(sent, spec, way, at, peer, behaviour, begins), limit, peer, sent.strange)
    verdicts, said = judge_sent(sent, way, peer, behaviour, ended=ended)
    return Row(way.name, way.title, behaviour, verdicts, said)


def source_row(
    spec: ConnectorSpec, way: SourceWay, at: At, peer: Peer, behaviour: Behaviour, begins: int, *, limit: float = LIMIT
) -> Row:
    """How a way of reading stands a behaviour."""
    landed = Landed()
    ended = _watched(lambda: read(landed, spec, way, at, peer, behaviour, begins), limit, peer, landed.strange)
    verdicts, said = judge_landed(landed, behaviour, ended=ended)
    return Row(way.name, way.title, behaviour, verdicts, said)


def _watched(work: Callable[[], None], limit: float, peer: Peer, strange: list[BaseException]) -> bool:
    """Whether it came to its end; a thread that never does is left behind, it keeps no process alive."""

    def run() -> None:
        try:
            work()
        except Exception as error:  # the connector is on trial: whatever it raises is a finding
            strange.append(error)

    thread = Thread(target=run, name="nave-conformance-run", daemon=True)
    thread.start()
    thread.join(limit)
    if not thread.is_alive():
        return True
    peer.cut()
    thread.join(_LAST)
    return False


def at_once(works: Sequence[Callable[[], Row]]) -> Iterator[Row]:
    """Several at a time, since most of them wait most of the time; rows in the order of the works."""
    with ThreadPoolExecutor(_AT_ONCE, "nave-conformance") as pool:
        yield from pool.map(lambda work: work(), works)


def sound(connector: str, rows: Iterable[Row]) -> list[Row]:
    """The rows without those of a peer that behaves: a ConfigError if a promise was broken even then."""
    listed = list(rows)
    for row in listed:
        if row.behaviour is WELL and (not row.passed or Verdict.NEEDS_A_PROBE in row.verdicts.values()):
            raise ConfigError("NAVE-K321", name=connector, way=row.way, reason=row.said["en"] or "-")
    return [row for row in listed if row.behaviour is not WELL]


@contextmanager
def a_folder() -> Iterator[Path]:
    """A hub's folder for one run."""
    with TemporaryDirectory(prefix="nave-conform-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)

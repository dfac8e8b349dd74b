"""What the conformance kit is told of `tryton`: parties in a real Tryton, reached through the proxy.

The runs share one table: what they write and read bears their names in front of its code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from nave.connectors.conformance import LISTED, At, SinkWay, SourceWay, StreamConformance, World
from nave.connectors.tryton import SPEC
from nave.connectors.tryton.options import TrytonOptions, TrytonSinkOptions
from nave.connectors.tryton.peer import Peer
from nave.connectors.tryton.sink import TrytonSink
from nave.core.protocols import Outbound, Probe, Raw, Receipt, Setting

_MODEL = "party.party"
_MANY = 1000


class _Options(TrytonSinkOptions):
    """A sink of one run."""

    run: str = Field(description="What stands before each code")


class _Sink(TrytonSink):
    """The sink, for records that bear the run's name."""

    def __init__(self, connection: TrytonOptions, options: _Options, setting: Setting) -> None:
        super().__init__(connection, options, setting)
        self._run = options.run

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        """As the sink itself."""
        return super().write([self._own(one) for one in records])

    def probe(self, record: Outbound) -> Receipt | None:
        """As the sink itself."""
        return super().probe(self._own(record))

    def _own(self, record: Outbound) -> Outbound:
        values = {"code": f"{self._run}~{record.values['code']}", "name": record.values["name"]}
        return replace(record, key=values["code"], values=values)


@contextmanager
def _probe(connection: TrytonOptions, options: _Options, setting: Setting) -> Iterator[Probe]:
    with _Sink(connection, options, setting) as sink:
        yield sink.probe


class _Database:
    """One database; it is asked past the proxy, by one thread at a time."""

    def __init__(self, config: Mapping[str, Any], peer: Peer) -> None:
        parts = urlsplit(str(config["url"]))
        self.host, self.port = str(parts.hostname), parts.port or 8000
        self._config, self._peer, self._lock = config, peer, Lock()

    @property
    def ways(self) -> Sequence[SinkWay | SourceWay]:
        """A sink and a source."""
        return (
            SinkWay(
                "parties",
                {
                    "en": "Sink, rows by a key of our own, and the probe that looks for it",
                    "zh": "去向：按自有的键写入的行，以及按键查找的查询",
                },
                self._connection,
                lambda at: {"model": _MODEL, "key": "code", "run": _run(at.name)},
                probes=True,
            ),
            SourceWay(
                "rows",
                {"en": "Source, rows by moment of change", "zh": "来源：按变更时间读取"},
                self._connection,
                lambda at: {
                    "model": _MODEL,
                    "fields": ["code", "name"],
                    "domain": [["code", "like", f"{_run(at.name)}~%"]],
                    "batch": 3,
                },
                told=_told,
                begins=0,
            ),
        )

    def _connection(self, at: At) -> Mapping[str, Any]:
        limits = dict.fromkeys(("connect", "idle", "timeout"), f"{at.seconds}s")
        return {**self._config, "url": at.url, **limits}

    def begin(self, name: str) -> None:
        """Parties, if they are to be read."""
        with self._lock:
            for one in LISTED if name.startswith("rows") else ():
                self._peer.create(_MODEL, {"code": f"{_run(name)}~{one['code']}", "name": one["name"]})

    def effects(self, name: str) -> Mapping[str, int]:
        """Parties by code."""
        return Counter(str(row["code"]).rpartition("~")[2] for row in self._rows(name))

    def end(self, name: str) -> None:
        """Delete them."""
        for row in self._rows(name):
            with self._lock:
                self._peer.delete(_MODEL, int(row["id"]))

    def _rows(self, name: str) -> Sequence[Mapping[str, Any]]:
        with self._lock:
            return self._peer.rows(_MODEL, [["code", "like", f"{_run(name)}~%"]], ["code"], limit=_MANY)


def _run(name: str) -> str:
    return "nave-conform-" + name.replace("_", "-")


def _told(record: Raw) -> tuple[str, str]:
    return str(record.get("code")).rpartition("~")[2], str(record.get("name"))


@contextmanager
def _world(config: Mapping[str, Any]) -> Iterator[World]:
    with TemporaryDirectory(prefix="nave-conform-") as folder:
        setting = Setting("conform.world", Path(folder))
        with Peer(TrytonOptions.model_validate(config), setting) as peer:
            yield _Database(config, peer)


_PROBE: Any = _probe
_SINK: Any = _Sink
CONFORMANCE = StreamConformance(
    replace(SPEC, sink_options=_Options, sink=_SINK, probe=_PROBE),
    _world,
    {"url": "http://host:8000", "database": "its database, where parties may be made", "key": "a key for REST"},
    limit=120.0,
)

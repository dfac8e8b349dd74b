"""Calls those who subscribed to EPCIS queries, through the connector `http`, in threads beside a run."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from pydantic import ValidationError

from nave.api.epcisnamed import Named, Subscription
from nave.api.epcisstore import TOLD, System
from nave.api.epcistelling import Report, Teller
from nave.core.errors import NaveError
from nave.core.protocols import ConnectorSpec, Outbound, Setting
from nave.core.registry import connector
from nave.core.seal import Seal
from nave.workers.loops import Run
from nave.workers.outcomes import backoff

_LEASE = "epcis:tell"
_AT_ONCE = 8
"""Calls at the same time."""
_WAITS = {"connect": "5s", "idle": "15s", "timeout": "30s"}
_INSIDE = "an address of the internet, or one that `subscribers` of the connection names"
_MOST_ANSWER = "64KiB"
_log = structlog.get_logger()
_encode = msgspec.json.Encoder(decimal_format="number").encode
"""As the connector writes what it is given, for the signature to be that of the very bytes."""


@contextmanager
def telling(run: Run, systems: Sequence[System], seal: Seal) -> Iterator[None]:
    """Tell the subscribers of these systems while the block runs; of all processes of a hub, one does."""
    if not systems:
        yield
        return
    hub = run.hub
    zones = {system.name: system.zone for system in systems}
    post = posting({system.name: system.subscribers for system in systems}, hub.folder)
    desk = _Desk(run, Teller(Named(hub.store, hub.clock, hub.ids, seal), zones, post, backoff))
    thread = threading.Thread(target=desk.work, name="epcis", daemon=True)
    thread.start()
    try:
        yield
    finally:
        desk.close()
        thread.join(5.0)


@dataclass
class _Desk:
    """Gives each subscription that is due to a thread of its own, a few at a time: one that hangs keeps no other."""

    run: Run
    teller: Teller
    stop: threading.Event = field(default_factory=threading.Event)
    _busy: dict[int, threading.Thread] = field(default_factory=dict)

    def work(self) -> None:
        """Until it is closed."""
        bell = self.run.hub.hints.bell(TOLD)
        while not self.stop.is_set():
            try:
                keeper = getattr(self.run, "keeper", None)  # there is none before the run has started
                if keeper is not None and keeper.take(_LEASE) is not None:
                    self._begin(self.teller.due())
            except Exception:
                _log.exception("epcis.crashed")
            bell.wait(self.run.poll)

    def close(self) -> None:
        """Begin nothing more, and wait a moment for what is under way."""
        self.stop.set()
        self.run.hub.hints.bell(TOLD).ring()
        for thread in list(self._busy.values()):
            thread.join(1.0)

    def _begin(self, due: Sequence[Subscription]) -> None:
        for one in due:
            if one.id not in self._busy and len(self._busy) < _AT_ONCE and not self.stop.is_set():
                thread = self._busy[one.id] = threading.Thread(
                    target=self._tell, args=(one,), name="epcis tell", daemon=True
                )
                thread.start()

    def _tell(self, one: Subscription) -> None:
        try:
            self.teller.step(one)
        except Exception as error:
            _log.warning(
                "epcis.crashed", subscription=repr(one), reason=str(error), exc_info=not isinstance(error, NaveError)
            )
            self.stop.wait(self.run.poll)
        finally:
            del self._busy[one.id]
            self.run.hub.hints.bell(TOLD).ring()


def refusals(systems: Sequence[System]) -> Callable[[str, str], str | None]:
    """Says of a system and an address why nobody is called there; None where somebody may be."""
    known = {system.name: system.subscribers for system in systems}

    def refuses(system: str, dest: str) -> str | None:
        try:
            _way(connector("http"), dest, known[system], {})
        except ValidationError:
            return "an address that the connector http can call"
        return _INSIDE if _is_inside(dest) and _origin(dest) not in known[system] else None

    return refuses


def posting(known: Mapping[str, frozenset[str]], folder: Path) -> Callable[[Report], NaveError | None]:
    """Makes calls, for a `Teller`; `known` says by system which addresses may be elsewhere than on the internet."""
    spec = connector("http")
    assert spec.sink is not None
    open_sink = spec.sink

    def post(report: Report) -> NaveError | None:
        setting = Setting(f"{report.system}.{report.subscription}", folder)
        told = Outbound(report.subscription, report.number, report.document)
        try:
            way = _way(spec, report.dest, known[report.system], _signed(report))
            with open_sink(*way, setting) as sink:
                (receipt,) = sink.write([told])
        except NaveError as error:
            return _noted(report, error)
        return _noted(report, receipt.error) if receipt.error is not None else None

    return post


def _noted(report: Report, error: NaveError) -> NaveError:
    _log.warning("epcis.untold", system=report.system, subscription=report.subscription, reason=str(error))
    return error


def _signed(report: Report) -> dict[str, str]:
    if report.secret is None:
        return {}
    digest = hmac.new(report.secret.encode(), _encode(report.document), hashlib.sha256).hexdigest()
    return {"GS1-Signature": f"sha256={digest}"}


def _way(spec: ConnectorSpec, dest: str, known: frozenset[str], headers: Mapping[str, str]) -> tuple[Any, Any]:
    """The connection and the sink for one address: on the internet, unless the hub's files name it."""
    assert spec.sink_options is not None
    parts, url = urlsplit(dest), _origin(dest)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    sent = {"Content-Type": "application/json", "GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0", **headers}
    connection = spec.options.model_validate({"url": url, "public": url not in known, **_WAITS})
    sink = {"path": path, "headers": sent, "version_header": None, "concurrency": 1, "max_answer": _MOST_ANSWER}
    return connection, spec.sink_options.model_validate(sink)


def _origin(dest: str) -> str:
    parts = urlsplit(dest)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _is_inside(dest: str) -> bool:
    """Whether an address says by itself that it is none of the internet; names are looked at when they are called."""
    host = (urlsplit(dest).hostname or "").rstrip(".").lower()
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

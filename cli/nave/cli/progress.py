"""How far a run is: two bars on a terminal, a line every ten seconds anywhere else, nothing of it on stdout."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from nave.cli.session import Session
from nave.core import deliveries, journal
from nave.workers.flows import Hub, SourceFlow
from nave.workers.loops import PATIENCE

_LOOK_SECONDS = 0.25
_LINE_SECONDS = 10.0


@dataclass
class Meter:
    """Counts what lands, and looks from time to time at what is left."""

    hub: Hub
    show: Callable[[Meter], None]
    landed: int = 0
    to_apply: int = 0
    to_deliver: int = 0
    most_to_deliver: int = 0
    _looked: float = 0.0
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def count(self, _flow: SourceFlow, records: int) -> None:
        """More records landed; called by every reader."""
        with self._turn:
            self.landed += records

    def tick(self) -> None:
        """Look at the store, and show it, if it is time for that."""
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        with self.hub.store.read() as tx:
            self.to_apply = journal.pending(tx, self.hub.sources)
            self.to_deliver = deliveries.work_left(tx, self.hub.sinks, PATIENCE)
        self.most_to_deliver = max(self.most_to_deliver, self.to_deliver)
        self.show(self)


@contextmanager
def metered(session: Session, hub: Hub) -> Iterator[Meter]:
    """A meter that is shown as this user's terminal allows."""
    if sys.stderr.isatty():
        with _bars(session) as show:
            yield Meter(hub, show)
    else:
        yield Meter(hub, _lines(session))


@contextmanager
def _bars(session: Session) -> Iterator[Callable[[Meter], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, no_color=not session.colored(sys.stderr))
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        applied = progress.add_task(session.words("progress.applied"), total=None)
        delivered = progress.add_task(session.words("progress.delivered"), total=None)

        def show(meter: Meter) -> None:
            total = max(meter.landed, meter.to_apply)
            progress.update(applied, total=total, completed=total - meter.to_apply)
            most = meter.most_to_deliver
            progress.update(delivered, total=most, completed=most - meter.to_deliver)

        yield show


def _lines(session: Session) -> Callable[[Meter], None]:
    begun = time.monotonic()
    said = [begun]

    def show(meter: Meter) -> None:
        now = time.monotonic()
        if now - said[0] >= _LINE_SECONDS:
            said[0] = now
            counts = {"landed": meter.landed, "to_apply": meter.to_apply, "to_deliver": meter.to_deliver}
            session.remark("progress.line", seconds=f"{now - begun:.0f}", **{k: f"{v:,}" for k, v in counts.items()})

    return show

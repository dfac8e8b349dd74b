"""The report of all fault runs: JSON lines, only ever added to, summed by kind, so that a run can go on where it ended.

One line is one round of one kind: `{"kind", "count", "failed", "seconds", "detail", "at"}`. `count` is in the kind's own
unit (kills, points, messages, files, seeds, seconds), `failed` says how many of them broke a promise, `seconds` how long
the round took. `detail` is free; three of its keys are read: `problems` (a list of texts), `worst` (seconds; the table
shows the largest) and `set` (what was covered, for kinds that want every member of a set once, such as defects).

    from tests.faults.report import add
    add("crash-point", count=87, failed=0, seconds=31.2, store="sqlite")
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(os.environ.get("NAVE_FAULTS_REPORT") or Path(__file__).parent / "out" / "report.jsonl")


class Kind(NamedTuple):
    """One kind of fault, and how often it is to be tried: in CI, for a taste, for this version, for a release."""

    name: str
    what: str
    ci: int
    small: int
    full: int
    release: int
    most_seconds: float | None = None
    """What `worst` may be at most."""


KINDS = (
    Kind("partition", "F8 broker nodes cut apart for 20-30 s", 3, 3, 12, 60, 30.0),
    Kind("worker-kill", "F1 SIGKILL of a worker under load", 60, 60, 300, 1000, 10.0),
    Kind("error-point", "F3 EIO, ENOSPC, EMFILE or EACCES at one syscall", 100, 100, 500, 2000),
    Kind("crash-point", "F2 SIGKILL at one mutating syscall", 250, 100, 500, 500),
    Kind("broker-kill", "F6 SIGKILL of a broker node", 6, 6, 40, 200, 5.0),
    Kind("zombie", "F5 SIGSTOP past the lease, then SIGCONT", 5, 5, 20, 200),
    Kind("postgres-kill", "F9 SIGKILL of PostgreSQL", 10, 10, 50, 300, 10.0),
    Kind("simulation", "simulated histories, one seed each", 200, 200, 2_000, 20_000),
    Kind("disk-full", "F14 disk full, then room again", 5, 5, 20, 100, 30.0),
    Kind("clock-jump", "F17 a jump of the wall clock", 5, 5, 20, 100),
    Kind("fsync-error", "F15 an fsync that fails once", 5, 5, 20, 50),
    Kind("torn-file", "F20-F23 torn, replaced, renamed, aborted files", 1_000, 1_000, 10_000, 30_000),
    Kind("message", "F18 messages, 20 % of them repeated, reordered or late", 20_000, 20_000, 200_000, 1_000_000),
    Kind("server-kill", "F4 SIGKILL of the HTTP server", 0, 10, 50, 200),
    Kind("scheduler-kill", "F4 SIGKILL of the scheduler", 0, 10, 50, 200),
    Kind("commit-cut", "F10 connection cut behind the COMMIT", 0, 10, 50, 500),
    Kind("half-open", "F12 a connection to PostgreSQL that goes silent", 0, 1, 10, 200),
    Kind("broker-down", "F7 most or all broker nodes down", 0, 1, 3, 30),
    Kind("sqlite-processes", "F11 three processes on one SQLite file, killed", 0, 5, 50, 500),
    Kind("memory-limit", "F16 a worker under a memory limit", 0, 1, 5, 50),
    Kind("poison", "F19 poisoned messages among good ones", 0, 500, 5_000, 50_000),
    Kind("many-files", "F24 files that come at once", 0, 5_000, 100_000, 2_000_000),
    Kind("output-order", "F25 fsync, rename, fsync of the folder, per output file", 0, 5, 20, 20),
    Kind("backup", "F27 backup under load, restored elsewhere", 0, 2, 10, 20),
    Kind("failover", "primary killed, standby promoted", 0, 1, 5, 20, 30.0),
    Kind("defect", "planted defects that the oracle must report", 0, 16, 16, 16),
    Kind("soak", "seconds of load with a fault every 30 s", 0, 60, 3_600, 28_800),
)
"""Those that take longest in CI come first, so that several at a time end together."""
COUNTS = ("ci", "small", "full", "release")


@dataclass(frozen=True, slots=True)
class Line:
    """One round as the report has it."""

    kind: str
    count: int
    failed: int
    seconds: float
    detail: dict[str, Any] = field(default_factory=dict)
    at: float = 0.0


@dataclass(slots=True)
class Total:
    """All rounds of one kind together."""

    rounds: int = 0
    count: int = 0
    failed: int = 0
    seconds: float = 0.0
    worst: float | None = None
    covered: set[str] = field(default_factory=set)

    def take(self, line: Line) -> None:
        """Add one round."""
        self.rounds += 1
        self.count += line.count
        self.failed += line.failed
        self.seconds += line.seconds
        worst = line.detail.get("worst")
        if worst is not None:
            self.worst = max(self.worst or 0.0, float(worst))
        self.covered |= {str(one) for one in line.detail.get("set", ())}


def add(kind: str, count: int, failed: int, seconds: float, *, file: Path | None = None, **detail: Any) -> Line:
    """Append one round and bring it to the disk; several processes may do so at once."""
    line = Line(kind, count, failed, round(seconds, 2), detail, round(time.time(), 1))
    target = file or FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("ab") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        out.write(json.dumps(_plain(line), ensure_ascii=False).encode() + b"\n")
        out.flush()
        os.fsync(out.fileno())
    return line


def _plain(line: Line) -> dict[str, Any]:
    return {name: getattr(line, name) for name in Line.__slots__}


def lines(file: Path | None = None) -> Iterator[Line]:
    """What was reported so far; a last line that a kill cut short does not count."""
    source = file or FILE
    if not source.exists():
        return
    for text in source.read_text("utf-8").splitlines():
        try:
            one = json.loads(text)
        except ValueError:
            continue
        yield Line(one["kind"], one["count"], one["failed"], one["seconds"], one.get("detail") or {}, one.get("at", 0.0))


def totals(found: Iterable[Line]) -> dict[str, Total]:
    """Sums by kind."""
    sums: dict[str, Total] = {}
    for line in found:
        sums.setdefault(line.kind, Total()).take(line)
    return sums


def reached(kind: Kind, total: Total) -> int:
    """How much of a kind is done: of a set its members, each once."""
    return len(total.covered) if kind.name == "defect" else total.count


def table(sums: dict[str, Total]) -> str:
    """Markdown: what was tried, how often it failed, and what a release asks for."""
    head = ["kind", "what", "tried", "failed", "worst", "held to", "release asks", "hours"]
    rows = [head, ["---"] * len(head)]
    named = {kind.name for kind in KINDS}
    others = [Kind(name, "", 0, 0, 0) for name in sorted(set(sums) - named)]
    rows += [_row(kind, sums.get(kind.name, Total())) for kind in (*KINDS, *others)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(kind: Kind, total: Total) -> list[str]:
    allowed = f" of {kind.most_seconds:g} s" if kind.most_seconds else ""
    worst = "" if total.worst is None else f"{total.worst:.1f}{allowed or ' s'}"
    tried = f"{reached(kind, total):,}"
    return [
        kind.name,
        kind.what,
        tried,
        str(total.failed),
        worst,
        f"{kind.full:,}",
        f"{kind.release:,}",
        f"{total.seconds / 3600:.2f}",
    ]

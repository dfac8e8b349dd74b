"""Hands `nave` to the nest, with a fault at a numbered call, and tells how it ended."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).parent
KILL = 0
NEVER = (0, 0)
ERRORS = {name: getattr(errno, name) for name in ("EIO", "ENOSPC", "EMFILE", "EACCES")}


def turn(seed: int) -> int:
    """A number that rises by one with every round of a kind, out of the seed of that round."""
    return seed // 1_000 + seed % 1_000


def compiler() -> str | None:
    """The C compiler that builds the shims."""
    return shutil.which("gcc") or shutil.which("cc")


def built(name: str, folder: Path) -> Path:
    """The shared object of one shim."""
    made = folder / f"{name}.so"
    if not made.exists():
        found = compiler()
        assert found, "no C compiler"
        subprocess.run([found, "-O1", "-fPIC", "-shared", "-o", made, HERE / f"{name}.c", "-ldl"], check=True)
    return made


@dataclass(frozen=True, slots=True)
class Fault:
    """At the calls from `first` to `last`: a SIGKILL, or an error number."""

    first: int = 0
    last: int = 0
    error: int = KILL
    only: str = ""
    """Count only calls of this kind, such as `fsync` tab `/out`."""

    @classmethod
    def at(cls, number: int, error: int = KILL) -> Fault:
        """At one call."""
        return cls(number, number, error)


NOTHING = Fault()


@dataclass
class Nest:
    """The process that forks; one run at a time."""

    process: subprocess.Popen[str]
    shim: bool
    pid: int = 0
    environ: dict[str, str] = field(default_factory=dict)

    def begin(
        self,
        folder: Path,
        *arguments: str,
        fault: Fault = NOTHING,
        points: Path | None = None,
        seconds: int = 120,
        memory: int = 0,
    ) -> None:
        """Start `nave --hub folder ...`; it is killed after `seconds`, and may take `memory` bytes of addresses."""
        order = {
            "folder": str(folder),
            "log": str(folder / "run.log"),
            "arguments": ["--hub", str(folder), *arguments],
            "environ": self.environ,
            "points": str(points) if points else "",
            "shim": self.shim,
            "first": fault.first,
            "last": fault.last,
            "error": fault.error,
            "only": fault.only,
            "seconds": seconds,
            "memory": memory,
        }
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        self.pid = self._answer("pid")

    def end(self) -> int:
        """Wait for it; its exit status, negative for a signal."""
        self.pid, status = 0, self._answer("status")
        return status

    def run(self, folder: Path, *arguments: str, **how: Any) -> int:
        """Both."""
        self.begin(folder, *arguments, **how)
        return self.end()

    def signal(self, number: signal.Signals) -> None:
        """To the run, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _answer(self, name: str) -> Any:
        out: IO[str] | None = self.process.stdout
        assert out
        line = out.readline()
        assert line, "the nest has ended"
        return json.loads(line)[name]


@contextmanager
def nest(environ: Mapping[str, str], preload: Path | None = None) -> Iterator[Nest]:
    """A nest while the block runs, with a shim in it; nothing of it is left behind."""
    # At the start, too: what the C library asks the environment for, it asks once, and before any fork.
    full = {**os.environ, **environ, "NAVE_LANG": "en", **({"LD_PRELOAD": str(preload)} if preload else {})}
    with subprocess.Popen(
        [sys.executable, str(HERE / "syscalls_nest.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=full,
        cwd=HERE.parents[1],
    ) as process:
        made = Nest(process, preload is not None and "syscalls" in preload.name, environ=dict(environ))
        made._answer("ready")
        try:
            yield made
        finally:
            if made.pid:
                made.signal(signal.SIGKILL)
            process.communicate()

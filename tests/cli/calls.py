"""Calls `nave` the way a shell does: in this process for speed, or in one of its own where processes matter."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from nave.cli.app import app

COMMAND = [sys.executable, "-c", "from nave.cli import main; main()"]


class Answer(NamedTuple):
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The JSON answer."""
        return json.loads(self.out)


def nave(*arguments: str | Path, hub: Path | None = None, environ: Mapping[str, str] | None = None) -> Answer:
    """Run one command in this process."""
    args = [*(["--hub", str(hub)] if hub else []), *map(str, arguments)]
    result = CliRunner().invoke(app(args, {"LANG": "C.UTF-8", **(environ or {})}), args)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


def start(*arguments: str | Path, hub: Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start one command as a process of its own; Ctrl-C reaches it also where the tests run behind a shell that has none."""
    return subprocess.Popen(
        [*COMMAND, "--hub", str(hub), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NAVE_LANG": "en", "COLUMNS": "200", **(environ or {})},
        preexec_fn=_hear_ctrl_c,
    )


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)

"""Runs one measurement in a process of its own, so that memory and caches are its own too."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from typing import Any


def peak_mib() -> float:
    """The most memory this process has held, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(module: str, *arguments: str) -> dict[str, Any]:
    """What `python -m bench.MODULE ARGUMENTS` prints last, as JSON."""
    command = [sys.executable, "-m", f"bench.{module}", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer

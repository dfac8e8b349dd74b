"""A person beside the load: gives poisoned records up, one by one, by the command that people use, and keeps a ledger of it.

Some of these commands are killed while they are at work, as a person closes a window.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.ledger import Ledger

NAME = "clerk"
_PATIENCE = 40.0
"""Seconds for a command; one that waits for a frozen store is given up."""


class Clerk(threading.Thread):
    """Looks every few seconds; `asked`, `done` and `failed` are the lines of its ledger."""

    def __init__(self, folder: Path, environment: Callable[[], Mapping[str, str]], seed: int, pause: float = 4.0) -> None:
        super().__init__(daemon=True, name=NAME)
        self.stopping = threading.Event()
        self._folder, self._environment, self._pause = folder, environment, pause
        self._chance = random.Random(seed)
        self._ledger = folder / "ledgers" / "clerk.jsonl"

    def run(self) -> None:
        """Until it is told to stop."""
        with Ledger(self._ledger) as ledger:
            while not self.stopping.wait(self._chance.uniform(0.5, 1.5) * self._pause):
                found = self._look()
                if found is not None and not self.stopping.is_set():
                    self._give_up(ledger, found)

    def _look(self) -> Mapping[str, Any] | None:
        status, answer = self._say("--json", "dead", "list", "--limit", "50")
        try:
            letters = json.loads(answer)["letters"] if status == 0 else []
        except (ValueError, KeyError):
            letters = []
        poisoned = [one for one in letters if one["stage"] == "apply"]
        return self._chance.choice(poisoned) if poisoned else None

    def _give_up(self, ledger: Ledger, letter: Mapping[str, Any]) -> None:
        said = {name: letter[name] for name in ("id", "flow", "stage", "key", "code", "text")}
        ledger.write({"what": "asked", **said})
        kill_after = self._chance.uniform(0.0, 1.2) if self._chance.random() < 0.25 else None
        status, _ = self._say("dead", "discard", str(letter["id"]), "--yes", "--as", NAME, kill_after=kill_after)
        ledger.write({"what": "done" if status == 0 else "failed", "id": letter["id"]})

    def _say(self, *words: str, kill_after: float | None = None) -> tuple[int, str]:
        command = [sys.executable, "-m", "nave.cli", "--hub", str(self._folder), "--lang", "en", *words]
        environment = {**os.environ, **self._environment()}
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as child:
            with suppress(subprocess.TimeoutExpired):
                answer, _ = child.communicate(timeout=_PATIENCE if kill_after is None else kill_after)
                return child.returncode, answer
            child.kill()
            child.communicate()
        return -9, ""

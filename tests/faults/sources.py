"""The sources of a fault run: each writes what it hands over to its own ledger first, and "acknowledged" after.

A sender over HTTP repeats a batch until it hears 202; a writer of files renames each file into the drop folder, and takes
its presence in the archive, byte for byte, as the acknowledgement.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.faults.ledger import Ledger
from tests.faults.messages import Message


class HttpSource(threading.Thread):
    """Pushes batches of one channel, in order, each until it is acknowledged or refused for good."""

    def __init__(
        self,
        channel: str,
        messages: Sequence[Message],
        port: int,
        ledger: Path,
        *,
        size: int,
        pace: float,
        delay: float = 0.0,
    ) -> None:
        super().__init__(name=f"source {channel}", daemon=True)
        self._channel = channel
        self._batches = [messages[start : start + size] for start in range(0, len(messages), size)]
        self._port = port
        self._ledger = ledger
        self._pace = pace
        self._delay = delay
        self.stopping = threading.Event()

    def run(self) -> None:
        """Hand over all batches, or as many as there is time for."""
        self.stopping.wait(self._delay)
        with Ledger(self._ledger) as ledger:
            for number, batch in enumerate(self._batches):
                items = [one.line for one in batch]
                ledger.write({"what": "sent", "channel": self._channel, "batch": number, "items": items})
                answer = self._until_answered(json.dumps([one.fields for one in batch]).encode())
                if answer is None:
                    return
                status, tries, unsure = answer
                what = "acknowledged" if status == 202 else "refused"
                ledger.write(
                    {"what": what, "channel": self._channel, "batch": number, "status": status, "tries": tries}
                    | {"unsure": unsure}
                )
                self.stopping.wait(self._pace * len(batch))

    def _until_answered(self, body: bytes) -> tuple[int, int, int] | None:
        """The last status, how many tries, and how many nobody knows the end of; None when it is time to stop."""
        unsure = tries = 0
        while not self.stopping.is_set():
            tries += 1
            status, sent = post(self._port, f"/events/{self._channel}", body)
            if status is not None and status < 500 and status not in (408, 429):
                return status, tries, unsure
            unsure += 1 if sent and status is None else 0
            self.stopping.wait(0.05 if status is None else 0.2)
        return None


def post(port: int, path: str, body: bytes, seconds: float = 20.0) -> tuple[int | None, bool]:
    """The status, or None without an answer; and whether anything may have been sent."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    sent = False
    try:
        link.connect()
        sent = True
        link.request("POST", path, body, {"Content-Type": "application/json"})
        answer = link.getresponse()
        answer.read()
        return answer.status, sent
    except (OSError, http.client.HTTPException):
        return None, sent
    finally:
        link.close()


class FileSource(threading.Thread):
    """Drops files of a few lines; with `names`, it writes over the same few names without waiting, as bad systems do."""

    def __init__(
        self,
        channel: str,
        messages: Sequence[Message],
        folder: Path,
        ledger: Path,
        *,
        size: int,
        pace: float,
        names: int = 0,
    ) -> None:
        super().__init__(name=f"source {channel}", daemon=True)
        self._channel = channel
        self._batches = [messages[start : start + size] for start in range(0, len(messages), size)]
        self._folder = folder
        self._ledger_path = ledger
        self._pace = pace
        self._names = names
        self.stopping = threading.Event()
        self._open: dict[str, int] = {}
        self._seen: set[Path] = set()

    def run(self) -> None:
        """Drop all files, and note which of them have been put away."""
        with Ledger(self._ledger_path) as ledger:
            for number, batch in enumerate(self._batches):
                if self.stopping.is_set():
                    break
                self._drop(ledger, number, batch)
                self._acknowledge(ledger)
                self.stopping.wait(self._pace * len(batch))
            while self._open and not self.stopping.wait(0.3):
                self._acknowledge(ledger)
            self._acknowledge(ledger)

    @property
    def waiting(self) -> int:
        """Files that are not put away yet."""
        return len(self._open)

    def _drop(self, ledger: Ledger, number: int, batch: Sequence[Message]) -> None:
        body = "".join(json.dumps(one.fields) + "\n" for one in batch).encode()
        name = f"sales_{number % self._names if self._names else number}.jsonl"
        items = [one.line for one in batch]
        ledger.write({"what": "sent", "channel": self._channel, "batch": number, "items": items, "file": name})
        self._open[sha256(body).hexdigest()] = number
        part = self._folder / f".{name}.part"
        with part.open("wb") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        part.rename(self._folder / name)

    def _acknowledge(self, ledger: Ledger) -> None:
        for path in [one for one in self._folder.glob("archive/*/*") if one not in self._seen]:
            self._seen.add(path)
            number = self._open.pop(sha256(path.read_bytes()).hexdigest(), None)
            if number is not None:
                line: dict[str, Any] = {"what": "acknowledged", "channel": self._channel, "batch": number}
                ledger.write(line | {"at": time.time(), "tries": 1, "unsure": 0})

"""The HTTP targets of the fault runs, as a process of their own: `python -m tests.faults.targets PORT LEDGER SEED`.

`bank.*` take an idempotency key and keep the newest version, as a careful service does; `post.*` is blind: every call it
takes has an effect. All calls go to an fsynced ledger before the answer. `POST /faults {"rate": 0.02}` makes that share of
the calls go wrong; `{"away": true}` answers 503 to all.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.faults.ledger import Ledger, read

BLIND = frozenset({"post.sales"})
WRONGS = ("busy", "gone", "cut", "half", "broken", "silence")
"""No effect: `busy` answers 503, `gone` hangs up first. With effect: the answer is cut, halved, 504, or never comes."""
_WITHOUT = frozenset({"busy", "gone", "away"})


@dataclass
class Targets:
    """What the targets have, and how badly they behave."""

    ledger: Ledger
    chance: random.Random
    rate: float = 0.0
    away: bool = False
    calls: int = 0
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    taken: set[tuple[str, str]] = field(default_factory=set)
    queue: list[tuple[dict[str, Any], asyncio.Future[None]]] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def remember(self, line: dict[str, Any]) -> None:
        """Take one line of the ledger into the state."""
        self.calls = max(self.calls, line["call"])
        if line["outcome"] == "applied":
            self.versions[line["target"], line["id"]] = line["version"]
            self.taken.add((line["target"], line["idem"]))

    async def take(self, target: str, idem: str, document: dict[str, Any]) -> str:
        """What goes wrong with this call, or nothing; returns once it is in the ledger."""
        wrong = self._wrong()
        outcome = "refused" if wrong in _WITHOUT else self._outcome(target, idem, document)
        self.calls += 1
        line = {"call": self.calls, "at": time.time(), "target": target, "idem": idem, "outcome": outcome, "wrong": wrong}
        line = {**document, **line}
        self.remember(line)
        noted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.queue.append((line, noted))
        self.ready.set()
        await noted
        return wrong

    def _wrong(self) -> str:
        if self.away:
            return "away"
        return self.chance.choice(WRONGS) if self.chance.random() < self.rate else ""

    def _outcome(self, target: str, idem: str, document: dict[str, Any]) -> str:
        if target in BLIND:
            return "applied"
        if (target, idem) in self.taken:
            return "duplicate"
        return "older" if document["version"] < self.versions.get((target, document["id"]), 0) else "applied"

    async def bring_to_disk(self) -> None:
        """One fsync for all calls that came meanwhile."""
        while True:
            await self.ready.wait()
            self.ready.clear()
            group, self.queue = self.queue, []
            await asyncio.to_thread(self.ledger.write, *(line for line, _ in group))
            for _, noted in group:
                noted.set_result(None)


def application(targets: Targets) -> web.Application:
    """The targets and what steers them."""

    async def call(request: web.Request) -> web.StreamResponse:
        document = await request.json()
        wrong = await targets.take(request.match_info["target"], request.headers.get("Idempotency-Key", ""), document)
        return await _answer(request, wrong)

    async def faults(request: web.Request) -> web.Response:
        told = await request.json()
        targets.rate, targets.away = told.get("rate", targets.rate), told.get("away", targets.away)
        return web.json_response({"calls": targets.calls})

    async def start(_: web.Application) -> None:
        app["writer"] = asyncio.create_task(targets.bring_to_disk())

    app = web.Application()
    app.router.add_post("/faults", faults)
    app.router.add_post("/{target}", call)
    app.on_startup.append(start)
    return app


async def _answer(request: web.Request, wrong: str) -> web.StreamResponse:
    if wrong in ("busy", "away"):
        return web.json_response({"error": wrong}, status=503, headers={"Retry-After": "1"})
    if wrong == "broken":
        return web.json_response({"error": wrong}, status=504)
    if wrong == "silence":
        await asyncio.sleep(3)
    if wrong in ("gone", "cut", "half", "silence"):
        assert request.transport is not None
        if wrong == "half":
            request.transport.write(b"HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n{")
        request.transport.close()
    return web.json_response({"ok": True}, status=201)


def main(port: int, ledger: Path, seed: int) -> None:
    """Serve until the process is ended; what an earlier process took is known."""
    with Ledger(ledger) as open_ledger:
        targets = Targets(open_ledger, random.Random(seed))
        for line in read(ledger):
            targets.remember(line)
        web.run_app(application(targets), host="127.0.0.1", port=port, print=None, access_log=None, handle_signals=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))

"""Messages too big for the memory that the hub may have: refused, or landed, and nothing answered for is lost."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.syscalls_child import nest
from tests.faults.syscalls_hub import Sources, differences, row, web, write_hub
from tests.faults.syscalls_sweep import SERVING, UNTIL_IDLE, environment
from tests.servers import free_port

LIMIT = 512 * 1024 * 1024
SIZES = (1, 4, 8, 12, 15)
"""Megabytes; each is sent by several senders at once."""
AT_ONCE = 4
ANSWERS = {202, 400, 413, 422, 500, 503, 0}
"""A refusal, or no answer at all, is allowed; what is answered with 202 is held to."""


def bloated(sent: Sources, port: int, key: str, megabytes: int, answers: list[int]) -> None:
    """One event with a field of so many megabytes."""
    body = json.dumps([{**row(key, 1), "PAD": "x" * (megabytes * 1_000_000)}])
    sent.versions.add(row(key, 1)["NAME"])
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as line:
            line.request("POST", "/events/src.pushed", body, {"Content-Type": "application/json"})
            status = line.getresponse().status
    except (OSError, http.client.HTTPException):
        status = 0
    answers.append(status)
    if status == 202:
        sent.say([(key, 1)])


def burst(sent: Sources, port: int, megabytes: int) -> list[int]:
    """Several at once; their answers."""
    answers: list[int] = []
    senders = [
        threading.Thread(target=bloated, args=(sent, port, f"B{megabytes}x{number}", megabytes, answers))
        for number in range(AT_ONCE)
    ]
    for one in senders:
        one.start()
    for one in senders:
        one.join()
    return answers


def starved(folder: Path) -> tuple[dict[int, int], list[str]]:
    """How often each answer was given, and what is wrong after a run with memory enough.

    A hub that died of one size comes back for the next, as under a supervisor.
    """
    hub, sent, port = folder / "hub", Sources(), free_port()
    write_hub(hub)
    answers: list[int] = []
    wrong: list[str] = []
    with web() as service, nest({**environment(port, service), "MALLOC_ARENA_MAX": "2"}) as runs:
        for number, size in enumerate(SIZES, 1):
            runs.begin(hub, *SERVING, memory=LIMIT)
            _until_open(sent, port, number)
            answers += burst(sent, port, size)
            runs.signal(signal.SIGTERM)
            wrong += [f"{size} MB: hung"] if runs.end() == -signal.SIGALRM else []
        wrong += [f"an answer of {one}" for one in set(answers) - ANSWERS]
        wrong += [f"the clean run ended with {last}"] if (last := runs.run(hub, *UNTIL_IDLE)) else []
        wrong += differences(hub, sent, service)
    return {one: answers.count(one) for one in sorted(set(answers))}, wrong


def _until_open(sent: Sources, port: int, version: int) -> None:
    deadline = time.monotonic() + 60
    while not sent.push(port, [("OPEN", version)]):
        assert time.monotonic() < deadline, "the door stays closed"
        time.sleep(0.05)


def _memory(_seed: int, folder: Path) -> Round:
    answers, wrong = starved(folder)
    return Round(1, wrong, failed=int(bool(wrong)), detail={"answers": {str(key): value for key, value in answers.items()}})


DRIVERS = (Driver("memory-limit", _memory),)

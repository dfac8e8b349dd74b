"""Kills and freezes processes that work apart on one PostgreSQL: doors, schedulers, workers, two of each."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path

from nave.cli.commands import ENTRIES
from tests.faults.driving import Driver, Round
from tests.faults.killing import PER_KILL, Seen, kill_and_resume, one_moment, resumed, settle
from tests.faults.messages import stream
from tests.faults.scene import Scene, scene, until
from tests.servers import postgres, postgres_programs, rabbitmq, rabbitmq_programs

POLL = ("--poll", "0.3")
SERVER, SCHEDULER, SCHEDULER_2, WORKER, WORKER_2 = "serve", "schedule", "schedule-2", "worker", "worker-2"
COMMANDS = {
    SERVER: ("serve",),
    SCHEDULER: ("schedule", *POLL),
    SCHEDULER_2: ("schedule", *POLL),
    WORKER: ("worker", *POLL),
    WORKER_2: ("worker", *POLL),
}


@cache
def available() -> bool:
    """Whether PostgreSQL, RabbitMQ and the commands are here."""
    names = {entry.name for entry in ENTRIES}
    return postgres_programs() is not None and rabbitmq_programs() is not None and {"serve", "schedule", "worker"} <= names


@contextmanager
def grounds(folder: Path, seed: int, messages: int, pace: float) -> Iterator[Scene]:
    """All processes at work on servers of their own, under load."""
    programs, brokers = postgres_programs(), rabbitmq_programs()
    assert programs is not None
    assert brokers is not None
    with ExitStack() as stack:
        store = stack.enter_context(postgres(programs))
        broker = stack.enter_context(rabbitmq(brokers))
        one = stack.enter_context(scene(folder, seed=seed, rate=0.01, store=store, broker=broker))
        one.ask("db", "upgrade")
        for role, command in COMMANDS.items():
            one.start(role, command)
        one.ready()
        one.begin(stream(seed, messages, poison=0.01), pace=pace)
        one.staff(seed)
        until(lambda: one.calls > 0, 60)
        yield one


def kills(seed: int, folder: Path, *, roles: Sequence[str], count: int = 20) -> Round:
    """`count` kills, each of one of the roles."""
    chance, seen = random.Random(seed), Seen()
    messages = count * PER_KILL
    with grounds(folder, seed, messages, 3.0 / PER_KILL) as one:
        while seen.kills < count:
            role = chance.choice(roles)
            kill_and_resume(one, chance, seen, role, COMMANDS[role])
        problems = seen.problems + settle(one)
    return Round(count, problems, detail=resumed(seen), also={"message": messages})


def freezes(seed: int, folder: Path, *, count: int = 5, shortest: float = 1.0, longest: float = 10.0) -> Round:
    """Stop one of two workers or schedulers in the middle of its work, past its lease; then it wakes and goes on."""
    chance = random.Random(seed)
    messages = count * 1_000
    with grounds(folder, seed, messages, 0.008) as one:
        for _ in range(count):
            role = chance.choice((SCHEDULER, SCHEDULER_2, WORKER, WORKER_2, WORKER, WORKER_2))
            one.processes[role].send_signal(signal.SIGSTOP)
            one_moment(chance.uniform(shortest, longest))
            one.processes[role].send_signal(signal.SIGCONT)
            one_moment(chance.uniform(0.5, 2.0))
        problems = settle(one)
    return Round(count, problems, also={"message": messages})


DRIVERS = (
    Driver("worker-kill", partial(kills, roles=(WORKER, WORKER_2)), "postgresql", available),
    Driver("server-kill", partial(kills, roles=(SERVER,), count=10), "postgresql", available),
    Driver("scheduler-kill", partial(kills, roles=(SCHEDULER, SCHEDULER_2), count=10), "postgresql", available),
    Driver("zombie", freezes, "postgresql", available),
    Driver("zombie", partial(freezes, count=2, shortest=65.0, longest=120.0), "postgresql", available),
)

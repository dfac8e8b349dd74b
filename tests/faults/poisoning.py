"""Poison among good messages: what the door refuses, what ends as a dead letter, and that nobody else is held up by it."""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path

from tests.faults.driving import Driver, Round
from tests.faults.killing import settle
from tests.faults.messages import UNREADABLE, stream
from tests.faults.scene import Scene, scene
from tests.faults.sources import post


def poisoned(seed: int, folder: Path, *, count: int = 2_500) -> Round:
    """One poisoned message in five, and unreadable bodies beside them; good ones come out as if nothing were."""
    messages = stream(seed, count, poison=0.25)
    spoilt = sum(bool(one.poison) for one in messages)
    with scene(folder, seed=seed) as one:
        one.start()
        one.ready()
        one.begin(messages, pace=0.004)
        stop, answers = threading.Event(), Counter[str]()
        shouting = threading.Thread(target=_shout, args=(one, random.Random(seed), stop, answers))
        shouting.start()
        one.told(300)
        stop.set()
        shouting.join(60)
        problems = settle(one)
    # A door that hangs up on a body that is far too large has refused it too, even if its answer is lost on the way.
    wrong = [f"{what} x {times}" for what, times in answers.items() if not what.endswith(_REFUSALS)]
    return Round(spoilt + sum(answers.values()), problems + wrong, also={"message": len(messages)})


_REFUSALS = ("400", "408", "413", "415", "422", "too large: None")


def _shout(one: Scene, chance: random.Random, stop: threading.Event, answers: Counter[str]) -> None:
    """Send what nobody can read, again and again."""
    while not stop.wait(0.05):
        what, body = chance.choice(UNREADABLE)
        status, _ = post(one.port, "/events/web.sales", body)
        answers[f"{what}: {status}"] += 1


DRIVERS = (Driver("poison", poisoned),)

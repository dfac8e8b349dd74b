"""The oracle by itself: each broken promise is reported by the check that is meant for it, and a clean run by none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.faults.auditing import Audit
from tests.faults.evidence import BLIND, WANTS, Effect, Evidence, Hub, Letter, Name, Said, told
from tests.faults.messages import CHANNELS, CUSTOMERS, SHOP, WEB, Message, customer, sale, stream
from tests.faults.oracle import judge

MESSAGES = [
    customer("C0", 1, "C1"),
    customer("C1", 1, "C0"),
    sale(WEB, "S1", 1, "C0", Decimal("10.00"), "CNY"),
    sale(WEB, "S1", 2, "C1", Decimal("12.50"), "CNY"),
    sale(SHOP, "S1", 1, "C0", Decimal("7.00"), "EUR"),
    Message(SHOP, "P1", 1, {"number": None}, "no key"),
]


def _lines(*, acknowledged: bool = True) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for channel in CHANNELS:
        items = [one.line for one in MESSAGES if one.channel == channel]
        lines.append({"what": "sent", "channel": channel, "batch": 0, "items": items})
        if acknowledged:
            lines.append({"what": "acknowledged", "channel": channel, "batch": 0, "tries": 1, "unsure": 0})
    return lines


def _effects() -> list[Effect]:
    good = [one for one in MESSAGES if not one.poison]
    return [
        Effect(target, f"{one.channel}/{one.key}", one.version, Name(one.channel, one.key), one.version, _said(one))
        for one in good
        for target, channels in WANTS.items()
        if one.channel in channels
    ]


def _said(one: Message) -> Said:
    known = one.fields.get
    return Said(known("amount"), known("currency"), one.fields["digest"], known("next"))


def _source(name: str, received: int, applied: int, dead: int = 0) -> dict[str, object]:
    zeros = dict.fromkeys(("unchanged", "superseded", "waiting", "discarded", "pending"), 0)
    return {"source": name, "received": received, "applied": applied, "dead": dead, **zeros}


def _hub() -> Hub:
    last = {Name(one.channel, one.key): one for one in MESSAGES if not one.poison}
    sinks = [{"sink": name, "ready": 0, "retrying": 0, "waiting": 0, "unknown": 0} for name in WANTS]
    return Hub(
        [_source(WEB, 2, 2), _source(SHOP, 2, 1, dead=1), _source(CUSTOMERS, 2, 2)],
        sinks,
        [Letter(SHOP, "apply", "", "NAVE-M119", "a key is missing")],
        [(name, one.version, _said(one)) for name, one in last.items()],
    )


def _clean() -> Evidence:
    return Evidence(told(_lines()), _effects(), _hub())


def _without(evidence: Evidence, target: str, key: str, seq: int) -> list[Effect]:
    gone = (target, Name(WEB, key), seq)
    return [one for one in evidence.effects if (one.target, one.name, one.seq) != gone]


def _repeated(evidence: Evidence) -> Evidence:
    last = next(one for one in reversed(evidence.effects) if one.target == BLIND)
    return Evidence(evidence.told, [*evidence.effects, last], evidence.hub)


def _second_id(evidence: Evidence) -> Evidence:
    last = next(one for one in reversed(evidence.effects) if one.target == "bank.sales")
    return Evidence(evidence.told, [*evidence.effects, last._replace(id="another")], evidence.hub)


def _lost(evidence: Evidence) -> Evidence:
    return Evidence(evidence.told, _without(evidence, "bank.sales", "S1", 2), evidence.hub)


def _older_last(evidence: Evidence) -> Evidence:
    turned = sorted(evidence.effects, key=lambda one: -one.seq)
    return Evidence(evidence.told, turned, evidence.hub)


def _amount_changed(evidence: Evidence) -> Evidence:
    changed = [one._replace(said=one.said._replace(amount="99.00")) if one.said.amount else one for one in evidence.effects]
    return Evidence(evidence.told, changed, evidence.hub)


def _ring_cut(evidence: Evidence) -> Evidence:
    cut = [one._replace(said=one.said._replace(next="C0")) if one.said.next else one for one in evidence.effects]
    return Evidence(evidence.told, cut, evidence.hub)


def _golden_differs(evidence: Evidence) -> Evidence:
    assert evidence.hub is not None
    return Evidence(evidence.told, evidence.effects, replace(evidence.hub, golden=evidence.hub.golden[1:]))


def _nobody_said(evidence: Evidence) -> Evidence:
    made_up = Effect(BLIND, "x", 1, Name(WEB, "S9"), 1, Said("1.00", "CNY", "d", None))
    return Evidence(evidence.told, [*evidence.effects, made_up], evidence.hub)


def _unbalanced(evidence: Evidence) -> Evidence:
    assert evidence.hub is not None
    return Evidence(
        evidence.told, evidence.effects, replace(evidence.hub, sources=[_source(WEB, 2, 1), *evidence.hub.sources[1:]])
    )


def _too_few_received(evidence: Evidence) -> Evidence:
    assert evidence.hub is not None
    return Evidence(
        evidence.told, evidence.effects, replace(evidence.hub, sources=[_source(WEB, 1, 1), *evidence.hub.sources[1:]])
    )


def _no_letter(evidence: Evidence) -> Evidence:
    assert evidence.hub is not None
    return Evidence(evidence.told, evidence.effects, replace(evidence.hub, letters=[]))


def _no_reason(evidence: Evidence) -> Evidence:
    assert evidence.hub is not None
    return Evidence(evidence.told, evidence.effects, replace(evidence.hub, letters=[Letter(SHOP, "apply", "", "", "")]))


def _under_way(evidence: Evidence) -> Evidence:
    assert evidence.hub is not None
    busy = [{**one, "ready": 1} for one in evidence.hub.sinks]
    return Evidence(evidence.told, evidence.effects, replace(evidence.hub, sinks=busy))


def _given_up_unheard(evidence: Evidence) -> Evidence:
    assert evidence.hub is not None
    return Evidence(evidence.told, evidence.effects, replace(evidence.hub, audit=Audit(asked={"L1": "done"})))


def _unanswered(evidence: Evidence) -> Evidence:
    return Evidence(told(_lines(acknowledged=False)), evidence.effects, evidence.hub)


BROKEN: tuple[tuple[Callable[[Evidence], Evidence], str], ...] = (
    (_lost, "L1"),
    (_no_letter, "L1"),
    (_repeated, "L2"),
    (_second_id, "L2"),
    (_amount_changed, "L3"),
    (_ring_cut, "L3"),
    (_older_last, "L4"),
    (_lost, "L5"),
    (_golden_differs, "L5"),
    (_nobody_said, "L6"),
    (_amount_changed, "L6"),
    (_unbalanced, "L7 books"),
    (_too_few_received, "L7 books"),
    (_no_reason, "L7 reasons"),
    (_under_way, "L8"),
    (_unanswered, "L8"),
    (_given_up_unheard, "L10"),
)


def test_a_clean_run_has_no_findings() -> None:
    assert judge(_clean()) == []


@pytest.mark.parametrize(("breaks", "check"), BROKEN, ids=[f"{one.__name__}-{check}" for one, check in BROKEN])
def test_a_broken_promise_is_reported(breaks: Callable[[Evidence], Evidence], check: str) -> None:
    found = judge(breaks(_clean()))

    assert any(one.check.startswith(check) for one in found), found


def test_what_a_person_was_asked_about_is_not_lost() -> None:
    clean = _clean()
    assert clean.hub is not None
    asked = [*clean.hub.letters, Letter(BLIND, "deliver", f"{WEB}/S1", "NAVE-E005", "nobody knows")]

    left = _without(clean, BLIND, "S1", 2)

    assert judge(Evidence(clean.told, left, replace(clean.hub, letters=asked))) == []
    assert judge(Evidence(clean.told, left, clean.hub)) != []


def test_a_letter_that_somebody_settled_counts_and_may_have_come_again() -> None:
    clean = _clean()
    assert clean.hub is not None
    again = list(clean.hub.letters)
    gone = replace(clean.hub, letters=[], given_up=again)
    came_again = replace(clean.hub, letters=again, given_up=again)
    too_many = replace(clean.hub, letters=[*again, *again], given_up=again)

    def found(hub: Hub) -> list[str]:
        return [one.check for one in judge(Evidence(clean.told, clean.effects, hub))]

    assert (found(gone), found(came_again), found(too_many)) == ([], [], ["L1 lost"])


def test_one_seed_gives_one_stream_in_which_a_fifth_goes_astray() -> None:
    first, again = stream(5, 5_000), stream(5, 5_000)

    assert first == again
    assert stream(6, 5_000) != first
    times = Counter((one.channel, one.key, one.version) for one in first)
    assert 0.04 < sum(count > 1 for count in times.values()) / len(times) < 0.10
    newest: dict[tuple[str, str], int] = {}
    late = 0
    for one in first:
        name = (one.channel, one.key)
        late += one.version < newest.get(name, 0)
        newest[name] = max(newest.get(name, 0), one.version)
    assert late > 0.05 * len(times)

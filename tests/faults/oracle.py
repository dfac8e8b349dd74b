"""Decides from what sources and targets wrote down, and nothing else, whether a promise was broken: L1 to L8, and L10.

It imports nothing of Nave. What the hub says of itself (its counts, its dead letters, its golden records) is compared with
the ledgers, never taken in their place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from tests.faults.auditing import audited
from tests.faults.evidence import BLIND, SALES, WANTS, Evidence, Name, Said, Told


class Finding(NamedTuple):
    """One broken promise."""

    check: str
    text: str


def lost(evidence: Evidence) -> Iterator[str]:
    """L1: what was acknowledged is at each target that wants it, or something newer, or a person was told."""
    final = evidence.final
    for target, channels in WANTS.items():
        for name, version in evidence.told.safe.items():
            there = final[target].get(name)
            if name.channel not in channels or (there and there.seq >= version):
                continue
            if target == BLIND and name in evidence.parked:
                continue
            yield f"{target}: {name.channel}/{name.key} version {version} is lost, the target has {there and there.seq}"
    yield from _unlettered(evidence)


def _unlettered(evidence: Evidence) -> Iterator[str]:
    if evidence.hub is None:
        return
    letters = Counter(one.flow for one in evidence.letters if one.stage in ("apply", "read"))
    for channel in {*evidence.told.poison, *letters}:
        # What somebody has settled may come again, as any input whose answer was lost, and is a letter again.
        again = sum(one.flow == channel for one in evidence.hub.given_up)
        if not letters[channel] - again <= evidence.told.poison[channel] <= letters[channel]:
            yield f"{channel}: {evidence.told.poison[channel]} poisoned records and {letters[channel]} letters"


def twice(evidence: Evidence) -> Iterator[str]:
    """L2: one effect per target, record and version, told by the hub's number and by the source's."""
    numbers = Counter((one.target, one.id, one.version) for one in evidence.effects)
    seqs = Counter((one.target, one.name, one.seq) for one in evidence.effects)
    for what, count in [*numbers.items(), *seqs.items()]:
        if count > 1:
            yield f"{what} had {count} effects"


def conserved(evidence: Evidence) -> Iterator[str]:
    """L3: sums and counts per currency are those of the sources; the ring of customers is one ring."""
    if evidence.told.open:
        return
    for target in ("bank.sales", "books.sales", BLIND):
        out = evidence.parked if target == BLIND else set()
        told, final = evidence.told, evidence.final[target]
        wanted = _sums((name, _newest(told, name)) for name in told.safe if name.channel in SALES and name not in out)
        there = _sums((name, one.said) for name, one in final.items() if name not in out)
        if wanted != there:
            yield f"{target}: the sources sum up to {wanted}, the target to {there}"
    customers = {name.key: one.said.next for name, one in evidence.final["bank.customers"].items()}
    if len(customers) > 0 and _ring(customers) != len(customers):
        yield f"the ring of {len(customers)} customers is broken: from its first it comes back after {_ring(customers)}"


def _newest(sources: Told, name: Name) -> Said:
    return sources.said[name][max(sources.said[name])]


def _sums(items: Iterable[tuple[Name, Said]]) -> dict[str | None, tuple[int, Decimal]]:
    sums: dict[str | None, tuple[int, Decimal]] = {}
    for _, said in items:
        count, total = sums.get(said.currency, (0, Decimal(0)))
        sums[said.currency] = (count + 1, total + Decimal(said.amount or 0))
    return sums


def _ring(following: Mapping[str, str | None]) -> int:
    """Steps from the first until it is there again; 0 if it never is."""
    start = at = min(following)
    for steps in range(1, len(following) + 1):
        at = following.get(at) or ""
        if at == start:
            return steps
    return 0


def ordered(evidence: Evidence) -> Iterator[str]:
    """L4: per target and record, versions only rise: the hub's and the source's."""
    last: dict[tuple[str, Name], tuple[int, int]] = {}
    for one in evidence.effects:
        version, seq = last.get((one.target, one.name), (0, 0))
        if one.version < version or one.seq < seq:
            yield f"{one.target}: {one.name.channel}/{one.name.key} went from {version} ({seq}) to {one.version} ({one.seq})"
        last[one.target, one.name] = (one.version, one.seq)


def converged(evidence: Evidence) -> Iterator[str]:
    """L5: golden records, what each target shows, and the fold of the ledgers are one and the same."""
    if evidence.told.open:
        return
    fold = {name: (max(versions), versions[max(versions)]) for name, versions in evidence.told.said.items()}
    views = {t: {n: (e.seq, e.said) for n, e in held.items()} for t, held in evidence.final.items()}
    for target, held in views.items():
        out = evidence.parked if target == BLIND else set()
        mine = {n: one for n, one in fold.items() if n.channel in WANTS[target] and n not in out}
        if _hash(mine) != _hash({n: one for n, one in held.items() if n not in out}):
            yield f"{target} differs from the sources in {_apart(mine, held)}"
    if evidence.hub is not None:
        golden = {name: (seq, said) for name, seq, said in evidence.hub.golden}
        if len(golden) != len(evidence.hub.golden) or _hash(golden) != _hash(fold):
            apart = _apart(fold, golden)
            yield f"{len(evidence.hub.golden)} golden records differ from {len(fold)} of the sources in {apart}"


def _hash(view: Mapping[Name, Any]) -> str:
    return sha256(repr(sorted(view.items())).encode()).hexdigest()


def _apart(one: Mapping[Name, Any], other: Mapping[Name, Any]) -> list[str]:
    wrong = [f"{name.channel}/{name.key}" for name in {*one, *other} if one.get(name) != other.get(name)]
    return sorted(wrong)[:5]


def phantoms(evidence: Evidence) -> Iterator[str]:
    """L6: no target has what no source said."""
    for one in evidence.effects:
        said = evidence.told.said.get(one.name, {}).get(one.seq)
        if said != one.said:
            yield f"{one.target}: {one.name.channel}/{one.name.key} version {one.seq} says {one.said}, its source {said}"


_OUT = ("applied", "unchanged", "superseded", "waiting", "dead", "discarded", "pending")


def books(evidence: Evidence) -> Iterator[str]:
    """L7: the hub's own counts balance, and agree with what the sources handed over."""
    for one in evidence.hub.sources if evidence.hub else ():
        name = str(one["source"])
        if one["received"] != sum(one[column] for column in _OUT):
            yield f"{name}: the books do not balance: {dict(one)}"
        least, most = evidence.told.least[name], evidence.told.most[name]
        if not least <= one["received"] <= most:
            yield f"{name}: received {one['received']}, handed over {least} to {most}"


def alive(evidence: Evidence) -> Iterator[str]:
    """L8: nothing is under way any more, and every batch was answered."""
    if evidence.told.open:
        yield f"{evidence.told.open} batches were never acknowledged"
    for one in evidence.hub.sources if evidence.hub else ():
        if one["pending"] or one["waiting"]:
            yield f"{one['source']}: {one['pending']} pending, {one['waiting']} waiting"
    for one in evidence.hub.sinks if evidence.hub else ():
        if one["ready"] or one["retrying"] or one["waiting"] or (one["unknown"] and one["sink"] != BLIND):
            yield f"{one['sink']}: {dict(one)}"


def reasons(evidence: Evidence) -> Iterator[str]:
    """L7 as well: whatever was set aside says why, and where it came from."""
    for one in evidence.letters:
        if not one.code or not one.text.strip():
            yield f"{one.flow}: a letter about {one.key!r} without a reason"


def recorded(evidence: Evidence) -> Iterator[str]:
    """L10: see `auditing.audited`."""
    if evidence.hub is not None:
        yield from audited(evidence.hub.audit)


CHECKS: tuple[tuple[str, Callable[[Evidence], Iterator[str]]], ...] = (
    ("L1 lost", lost),
    ("L2 twice", twice),
    ("L3 conserved", conserved),
    ("L4 order", ordered),
    ("L5 converged", converged),
    ("L6 phantom", phantoms),
    ("L7 books", books),
    ("L7 reasons", reasons),
    ("L8 live", alive),
    ("L10 audit", recorded),
)


def judge(evidence: Evidence, most: int = 5) -> list[Finding]:
    """Every broken promise, at most a few examples of each."""
    found: list[Finding] = []
    for name, check in CHECKS:
        texts = list(check(evidence))
        found += [Finding(name, text) for text in texts[:most]]
        if len(texts) > most:
            found.append(Finding(name, f"and {len(texts) - most} more"))
    return found

"""Tells what a replay would come to, without changing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from nave.cli import exits
from nave.cli.letters import state_of
from nave.cli.page import Page
from nave.cli.session import Session
from nave.config import HubConfig
from nave.core.entities import decode
from nave.core.errors import NaveError
from nave.core.journal import raw_record
from nave.core.snapshots import GONE, Deleted
from nave.workers.flows import Hub

_PASS, _AGAIN, _STUCK = "would_pass", "would_be_tried", "would_fail"


def rehearse(session: Session, config: HubConfig, hub: Hub, letters: Sequence[Any]) -> int:
    """Map and check the records of all letters again, and count."""
    outcomes: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    for letter in letters:
        outcome, reason = _outcome(config, hub, letter)
        outcomes[outcome] += 1
        if reason is not None:
            reasons[reason.code, reason.text(session.language)] += 1
    data = {
        "letters": len(letters),
        **{name: outcomes[name] for name in (_PASS, _AGAIN, _STUCK)},
        "reasons": [{"code": code, "text": text, "count": count} for (code, text), count in reasons.most_common()],
    }
    session.answer({"dry_run": data}, _lines(data, session.page), rows=None)
    return exits.FINE


def _outcome(config: HubConfig, hub: Hub, letter: Any) -> tuple[str, NaveError | None]:
    """What would become of one letter, and its reason where it would fail again."""
    assert state_of(letter) == "open"
    if letter.flow not in hub.sources and letter.flow not in hub.sinks:
        return _STUCK, None
    if letter.stage == "apply":
        again = _mapped(hub, letter)
        return (_STUCK, again) if again is not None else (_PASS, None)
    if letter.stage == "read" and config.sources[letter.flow].connection.spec.reread is None:
        return _STUCK, None
    return _AGAIN, None


def _mapped(hub: Hub, letter: Any) -> NaveError | None:
    flow = hub.sources[letter.flow]
    if decode(letter.origin).get("unit") == GONE:
        return None
    mapped = flow.mapping.run([raw_record(letter.raw)])[0]
    if mapped is None or isinstance(mapped, NaveError):
        return mapped
    if isinstance(mapped, Deleted):
        return None
    checked = flow.rules.type.validate([mapped.values])[0]
    return checked if isinstance(checked, NaveError) else None


def _joined(sentences: Sequence[str], language: str) -> str:
    return ("" if language == "zh" else " ").join(sentences)


def _lines(data: dict[str, Any], page: Page) -> Iterator[str]:
    words = page.words
    counts = [words(f"rehearsal.{name}", count=f"{data[name]:,}") for name in (_PASS, _AGAIN, _STUCK) if data[name]]
    yield words(
        "rehearsal.sum", letters=words.counted("rehearsal.letters", data["letters"]), counts=_joined(counts, words.language)
    )
    for one in data["reasons"]:
        yield from page.pairs([(f"{one['count']:,}  {one['code']}", one["text"])])

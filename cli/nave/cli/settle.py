"""`nave dead replay` and `nave dead discard`: settle dead letters, by name and never by accident."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from nave.cli import exits
from nave.cli.failures import Stop, WrongUsage
from nave.cli.hubs import opened_hub
from nave.cli.letters import said, state_of, the_letter
from nave.cli.rehearsal import rehearse
from nave.cli.session import Session
from nave.config import HubConfig
from nave.core import dead, repair
from nave.core.clock import id_text
from nave.core.errors import NaveError
from nave.core.repair import Actor
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.workers.flows import Hub

_MANY = 100
_MOST = 1_000_000
_CHUNK = 500


@dataclass
class _Settled:
    """What became of the letters so far."""

    done: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """By what stood against it: the text that is shown."""


def replay(
    session: Session,
    *,
    ids: Sequence[str],
    all: bool,  # noqa: A002 - the option's own name
    flow: str | None,
    code: str | None,
    dry_run: bool,
    yes: bool,
    actor: str | None,
) -> int:
    """Let letters go through again from where they stopped; 4 if some could not, 5 if none could."""
    choice = _choice(ids, all=all, flow=flow, code=code)
    with opened_hub(session) as (config, hub):
        letters = _chosen(session, hub, choice)
        if dry_run:
            return rehearse(session, config, hub, letters)
        if not letters:
            return _nothing(session, "replayed")
        _confirm(session, len(letters), "replay", yes=yes, always=False)
        who = Actor(actor or getpass.getuser(), hub.clock, hub.ids)
        settled = _each(hub, letters, lambda tx, letter: _replay_one(tx, letter, who, session, config, hub))
    return _told(session, settled, "replayed")


def discard(
    session: Session,
    *,
    ids: Sequence[str],
    all: bool,  # noqa: A002 - the option's own name
    flow: str | None,
    code: str | None,
    yes: bool,
    actor: str | None,
) -> int:
    """Give letters up for good."""
    choice = _choice(ids, all=all, flow=flow, code=code)
    with opened_hub(session) as (_, hub):
        letters = _chosen(session, hub, choice)
        if not letters:
            return _nothing(session, "discarded")
        _confirm(session, len(letters), "discard", yes=yes, always=True)
        who = Actor(actor or getpass.getuser(), hub.clock, hub.ids)
        settled = _each(hub, letters, lambda tx, letter: repair.discard(tx, letter, who))
    return _told(session, settled, "discarded")


@dataclass(frozen=True, slots=True)
class _Choice:
    """Letters named one by one, or by what they have in common."""

    ids: Sequence[str]
    flow: str | None
    code: str | None


def _choice(ids: Sequence[str], *, all: bool, flow: str | None, code: str | None) -> _Choice:  # noqa: A002
    if bool(ids) == bool(all or flow or code):
        raise WrongUsage("usage.letters_twice" if ids else "usage.letters")
    return _Choice(tuple(dict.fromkeys(ids)), flow, code)


def _chosen(session: Session, hub: Hub, choice: _Choice) -> list[Any]:
    """The open letters among those that were chosen."""
    with hub.store.read() as tx:
        if not choice.ids:
            return dead.open_letters(tx, choice.flow, choice.code, _MOST)
        named = [the_letter(tx, one) for one in choice.ids]
    for letter in named:
        if letter.state != t.Letter.OPEN:
            session.remark("settle.closed", id=id_text(letter.id), state=session.words(f"letter.{state_of(letter)}"))
    return [letter for letter in named if letter.state == t.Letter.OPEN]


def _confirm(session: Session, count: int, verb: str, *, yes: bool, always: bool) -> None:
    """Ask where much depends on it; where nobody can be asked, only `--yes` goes on."""
    many = count > _MANY
    if yes or not (many or always):
        return
    if not session.prompting:
        raise Stop(exits.REFUSED, "NAVE-E211", count=f"{count:,}", verb=session.words(f"verb.{verb}"))
    question = session.words.counted(f"settle.{verb}", count)
    if many:
        answer = click.prompt(
            session.words("settle.type", question=question, count=count), err=True, default="", show_default=False
        )
        agreed = answer.strip() == str(count)
    else:
        agreed = click.confirm(question, err=True)
    if not agreed:
        raise Stop(exits.REFUSED, "NAVE-E212")


def _each(hub: Hub, letters: Sequence[Any], work: Callable[[Transaction, Any], str | None]) -> _Settled:
    """Settle letters in transactions of some hundred; `work` returns what stands against one, or None."""
    settled = _Settled()
    for start in range(0, len(letters), _CHUNK):
        with hub.store.write() as tx:
            for letter in letters[start : start + _CHUNK]:
                against = work(tx, letter)
                settled.done += against is None
                settled.refused.update([against] if against else [])
    hub.hints.announce(["apply", *hub.sinks])
    return settled


def _replay_one(tx: Transaction, letter: Any, who: Actor, session: Session, config: HubConfig, hub: Hub) -> str | None:
    if letter.flow not in hub.sources and letter.flow not in hub.sinks:
        return session.words("settle.no_flow", flow=letter.flow)
    if letter.stage != "read":
        repair.replay(tx, letter, who)
        return None
    against = _offer_again(letter, session, config)
    if against is None:
        repair.settle(tx, [letter], t.Letter.REPLAYED, who)
    return against


def _offer_again(letter: Any, session: Session, config: HubConfig) -> str | None:
    """Let an input that could not be read be read again; what stands against it, if anything does."""
    source = config.sources[letter.flow]
    reread = source.connection.spec.reread
    if reread is None:
        return session.words("settle.no_reread", type=source.connection.type)
    try:
        offered = reread(source.connection.options, source.options, config.setting(source.name), letter.raw)
    except NaveError as error:
        return error.text(session.language)
    return (
        None
        if offered
        else session.words("settle.gone", name=letter.raw[:80], reason=said(letter, "text", session.language))
    )


def _nothing(session: Session, done: str) -> int:
    session.answer({done: 0, "refused": []}, [session.words("settle.nothing")])
    return exits.FINE


def _told(session: Session, settled: _Settled, done: str) -> int:
    refused = [{"reason": reason, "count": count} for reason, count in settled.refused.items()]
    lines = [session.words.counted(f"settle.{done}", settled.done)] if settled.done else []
    session.answer({done: settled.done, "refused": refused}, lines)
    for reason, count in settled.refused.items():
        session.note(f"{session.margin.style(session.words('settle.refused', count=count), 'bad')}: {reason}")
    if not settled.refused:
        return exits.FINE
    return exits.PARTLY if settled.done else exits.REFUSED

"""`nave plan` and `nave apply`: what changed rules would do to all there is, and doing it."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import opened_hub
from nave.cli.lock import held
from nave.cli.page import Page
from nave.cli.records import MASK
from nave.cli.session import Session
from nave.cli.tables import Row
from nave.config import HubConfig
from nave.core import planning
from nave.core.clock import id_text
from nave.core.errors import PermanentError
from nave.core.rehearsing import Difference, Progress
from nave.core.repair import Actor, note
from nave.workers.changes import Changes, Plan, SinkDifference, apply_rules, changes, fingerprints
from nave.workers.changes import plan as make_plan
from nave.workers.flows import Hub

_LINE_SECONDS = 10.0


def plan(session: Session, *, file: Path | None, detailed: bool) -> int:
    """Show what `nave apply` would do; with `detailed` 4 says that there is something to do."""
    with opened_hub(session) as (config, hub):
        began = time.monotonic()
        with _progress(session) as progress:
            made = make_plan(hub, progress)
        data = _data(made, config, time.monotonic() - began)
    if file is not None:
        file.write_text(json.dumps(data, ensure_ascii=False, indent=2, default=str) + "\n", "utf-8")
    session.answer({"plan": data}, _lines(data, session.page))
    return exits.PARTLY if detailed and made.rules else exits.FINE


def apply(session: Session, *, file: Path | None, yes: bool, actor: str | None) -> int:
    """Make the store as the folder's rules say; only what was planned, where a plan is given."""
    with opened_hub(session) as (config, hub), held(hub.folder):
        with hub.store.read() as tx:
            found = changes(tx, hub)
        if not found.any:
            session.answer({"applied": []}, [session.words("plan.nothing")])
            return exits.FINE
        _check(session, config, hub, found, file, yes=yes)
        names = [*found.entities, *found.sinks]
        with hub.store.write() as tx:  # before it begins: it is done in many commits, and may be broken off
            note(tx, Actor(actor or getpass.getuser(), hub.clock, hub.ids), "rules.applied", hub.name, {"names": names})
        with _progress(session) as progress:
            apply_rules(hub, progress)
    session.answer({"applied": names}, [session.words("plan.applied", names=", ".join(names))])
    return exits.FINE


def _check(session: Session, config: HubConfig, hub: Hub, found: Changes, file: Path | None, *, yes: bool) -> None:
    """Go on only with what somebody has looked at: a plan that still fits, or one that is shown now, or a plain yes."""
    if found.half and not found.strange:
        return  # somebody agreed when it began
    if file is not None:
        _fits(hub, found, json.loads(file.read_text("utf-8")))
    elif not yes:
        if not session.prompting:
            raise Stop(exits.REFUSED, "NAVE-E137")
        with _progress(session) as progress:
            data = _data(make_plan(hub, progress), config, 0.0)
        for line in _lines(data, session.margin):
            session.note(line)
        if not click.confirm(session.words("plan.question"), err=True):
            raise Stop(exits.REFUSED, "NAVE-E212")


def _fits(hub: Hub, found: Changes, planned: Mapping[str, Any]) -> None:
    with hub.store.read() as tx:
        state = planning.state(tx)
    if planned.get("rules") != fingerprints(hub, found):
        raise PermanentError("NAVE-E133", reason="rules")
    if planned.get("store") != state:
        raise PermanentError("NAVE-E133", reason="store")


def _data(made: Plan, config: HubConfig, seconds: float) -> dict[str, Any]:
    return {
        "store": made.store,
        "rules": dict(made.rules),
        "entities": [_entity_data(one, config) for one in made.entities],
        "sinks": [_sink_data(one, config) for one in made.sinks],
        "seconds": round(seconds, 1),
    }


def _entity_data(one: Difference, config: HubConfig) -> dict[str, Any]:
    hidden = config.entities[one.entity].sensitive
    examples = {
        kind: [{**each, "before": MASK, "after": MASK} for each in listed] if kind in hidden else listed
        for kind, listed in one.examples.items()
    }
    return {**asdict(one), "examples": examples}


def _sink_data(one: SinkDifference, config: HubConfig) -> dict[str, Any]:
    """Examples are left out where the entity has sensitive fields: a target's fields have other names."""
    hidden = config.entities[config.sinks[one.sink].entity].sensitive
    shown = [] if hidden else [{**each, "record": id_text(each["record"])} for each in one.examples]
    return {**asdict(one), "examples": shown}


def _lines(data: Mapping[str, Any], page: Page) -> Iterator[str]:
    if not data["rules"]:
        yield page.words("plan.nothing")
        return
    for one in data["entities"]:
        yield from _entity_lines(one, page)
    for one in data["sinks"]:
        yield from _sink_lines(one, page)
    if data["seconds"]:
        yield page.style(page.words("plan.time", seconds=f"{data['seconds']:.0f}"), "dim")
    yield page.style(page.words("plan.next"), "dim")


def _entity_lines(one: Mapping[str, Any], page: Page) -> Iterator[str]:
    yield page.heading("plan.entity", entity=one["entity"], records=f"{one['records']:,}")
    pairs = [(page.words(f"plan.{name}"), f"{one[name]:,}") for name in ("merges", "splits", "moves", "changed")]
    pairs += [(page.words("plan.deliveries", sink=sink), f"{count:,}") for sink, count in one["deliveries"].items()]
    yield from page.pairs(pairs)
    for each in one["examples"].get("merge", ()):
        yield "  " + page.words("plan.merge", one=_names(each["one"]), other=_names(each["other"]))
    for each in one["examples"].get("split", ()):
        yield "  " + page.words("plan.split", off=_names(each["off"]), origin=_names(each["from"]))
    if one["fields"]:
        columns = page.columns(
            "plan", "field", "count", "keys", "before", "after", right="count", elastic="keys before after"
        )
        shown = one["examples"]
        rows = [row for name, count in one["fields"].items() for row in _field_rows(name, count, shown.get(name, ()))]
        yield from page.table(columns, rows)
    yield ""


def _field_rows(name: str, count: int, examples: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for nth, one in enumerate(examples):
        first = (name, f"{count:,}") if nth == 0 else ("", "")
        yield (*first, _names(one["keys"]), _text(one["before"]), _text(one["after"]))


def _names(keys: Sequence[str]) -> str:
    return " ".join(keys)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _sink_lines(one: Mapping[str, Any], page: Page) -> Iterator[str]:
    key = "plan.sink" if one["exact"] else "plan.sink_all"
    yield page.heading(key, sink=one["sink"], count=f"{one['deliveries']:,}", of=f"{one['looked_at']:,}")
    for each in one["examples"]:
        yield f"  {each['record']}"
        yield f"    - {_text(each['before'])}"
        yield f"    + {_text(each['after'])}"
    yield ""


@contextmanager
def _progress(session: Session) -> Iterator[Progress]:
    """A bar on a terminal, a line every ten seconds anywhere else."""
    if not sys.stderr.isatty():
        yield _telling(session)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, no_color=not session.colored(sys.stderr))
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, count: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(_phase(session, what), total=None)
            bars.update(tasks[what], advance=count)

        yield show


def _phase(session: Session, what: str) -> str:
    return session.words.named("plan.phase", what)


def _telling(session: Session) -> Progress:
    said, counts = [time.monotonic()], dict[str, int]()

    def show(what: str, count: int) -> None:
        counts[what] = counts.get(what, 0) + count
        if time.monotonic() - said[0] >= _LINE_SECONDS:
            said[0] = time.monotonic()
            session.note(f"{_phase(session, what)}: {counts[what]:,}")

    return show

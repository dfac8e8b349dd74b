"""`nave connector install-capture`: has tables of a database note what changes in them, or has them stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import click

from nave.cli import exits
from nave.cli.failures import Stop
from nave.cli.hubs import nearest, read
from nave.cli.session import Session
from nave.config import ConnectionConfig, HubConfig
from nave.core.protocols import Capturing, Setting


def install_capture(
    session: Session, system: str, tables: Sequence[str], key: Sequence[str], *, show: bool, remove: bool, yes: bool
) -> int:
    """Show the statements, ask, and run them; 5 where that was not confirmed. `show` runs nothing."""
    config = read(session).partial
    name, connection = _connection(config, system)
    assert connection.spec.capture is not None
    with connection.spec.capture(connection.options, Setting(name, config.folder)) as capturing:
        found = {table: capturing.statements(table, key, gone=remove) for table in tables}
        due = {table: listed for table, listed in found.items() if listed}
        if session.human:
            _show(session, found)
        if show or not due:
            _answer(session, found, done=False)
            return exits.FINE
        _agreed(session, yes=yes, remove=remove)
        _run(capturing, due)
    _answer(session, found, done=True)
    if session.human:
        click.echo(session.words("capture.removed" if remove else "capture.installed", tables=", ".join(due)))
    return exits.FINE


def _connection(config: HubConfig, name: str) -> tuple[str, ConnectionConfig]:
    """The one connection of a system that can do it, or the one that is named: SYSTEM.CONNECTION; with its whole name."""
    able = {
        f"{system.name}.{one.name}": one
        for system in config.systems.values()
        for one in system.connections.values()
        if one.spec.capture is not None
    }
    found = [(full, one) for full, one in able.items() if name in (full, full.partition(".")[0])]
    if len(found) != 1:
        raise Stop(exits.USAGE, "NAVE-K213", name=name[:80], near=nearest(name, sorted(able)))
    return found[0]


def _show(session: Session, found: Mapping[str, Sequence[str]]) -> None:
    for line in _lines(session, found):
        click.echo(line)


def _lines(session: Session, found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for table, statements in found.items():
        yield f"-- {table}" if statements else f"-- {session.words('capture.nothing', table=table)}"
        yield from (f"{one}{'' if one.endswith(';') else ';'}" for one in statements)
        yield ""


def _agreed(session: Session, *, yes: bool, remove: bool) -> None:
    if yes:
        return
    if not session.prompting:
        raise Stop(exits.REFUSED, "NAVE-E212")
    if not click.confirm(session.words("capture.ask_remove" if remove else "capture.ask"), err=True):
        raise Stop(exits.REFUSED, "NAVE-E212")


def _run(capturing: Capturing, due: Mapping[str, Sequence[str]]) -> None:
    for statements in due.values():
        capturing.run(statements)


def _answer(session: Session, found: Mapping[str, Sequence[str]], *, done: bool) -> None:
    if not session.human:
        rows = [{"table": table, "statements": list(statements)} for table, statements in found.items()]
        session.answer({"done": done, "tables": rows}, ())

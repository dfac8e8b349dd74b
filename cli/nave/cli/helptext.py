"""Lays out help: what it is for, examples first, then options, then what the exit statuses mean.

Plain click is used, with this layout: rich-click took 0.2 s for the same page, more than help may take in all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from nave.cli.cells import padded, width, wrapped
from nave.cli.commands import SECTIONS
from nave.cli.commands.entry import Entry
from nave.cli.session import Session

_WIDEST = 100
_SHARED = ("hub", "lang", "form", "color", "utc", "verbose", "help")
_HELP = "_click_default_help"


def help_text(ctx: click.Context, entry: Entry, session: Session) -> str:
    """The whole page."""
    return "\n".join(_lines(ctx, entry, session)) + "\n"


def _lines(ctx: click.Context, entry: Entry, session: Session) -> Iterator[str]:
    words, page = session.words, session.page
    room = min(page.room or _WIDEST, _WIDEST)
    yield f"{page.heading('help.usage')} {ctx.command_path} {' '.join(_pieces(ctx))}"
    yield ""
    about = f"about.{entry.name}"
    for line in wrapped(words(about if words.known(about) else f"command.{entry.name}"), room - 2):
        yield f"  {line}"
    if entry.examples:
        yield from _part(session, "help.examples", [f"  {example}" for example in entry.examples])
    yield from _commands(ctx, entry, session, room)
    own, shared = _options(ctx, entry, session)
    yield from _part(session, "help.options", _pairs(own, room))
    yield from _part(session, "help.anywhere", _pairs(shared, room))
    if entry.target:
        meanings = [(str(status), words(f"exit.{status}")) for status in entry.exits]
        yield from _part(session, "help.exits", _pairs(meanings, room))


def _pieces(ctx: click.Context) -> list[str]:
    return ctx.command.collect_usage_pieces(ctx)


def _part(session: Session, heading: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield session.page.heading(heading)
        yield from lines


def _commands(ctx: click.Context, entry: Entry, session: Session, room: int) -> Iterator[str]:
    if not isinstance(ctx.command, click.Group):
        return
    names = ctx.command.list_commands(ctx)
    prefix = "" if entry.name == "nave" else f"{entry.name} "
    sections = SECTIONS if entry.name == "nave" else (("commands", tuple(names)),)
    for section, listed in sections:
        pairs = [(name, session.words(f"command.{prefix}{name}")) for name in listed]
        yield from _part(session, f"help.{section}", _pairs(pairs, room, left=10))


def _options(ctx: click.Context, entry: Entry, session: Session) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The command's own options, and those that every command has, as written and explained."""
    own, shared = list[tuple[str, str]](), list[tuple[str, str]]()
    for param in ctx.command.get_params(ctx):
        names = _written(param)
        name = "help" if param.name == _HELP else param.name
        key = f"option.{entry.name}.{name}"
        if names is None:
            continue
        if not session.words.known(key):
            key = f"option.{'json' if names == '--json' else name}"
        default = _default(param, session)
        (shared if name in _SHARED else own).append((names, f"{session.words(key)} {default}".rstrip()))
    return own, shared


def _written(param: click.Parameter) -> str | None:
    if not isinstance(param, click.Option):
        return None
    value = "" if param.is_flag or param.flag_value == "json" else f" {_metavar(param)}"
    return ", ".join(sorted(param.opts, key=len)) + value


def _metavar(param: click.Option) -> str:
    if isinstance(param.type, click.Choice) and not param.metavar:
        return "|".join(map(str, param.type.choices))
    return param.metavar or (param.name or "").upper()


def _default(param: click.Parameter, session: Session) -> str:
    number = isinstance(param.default, int | float) and not isinstance(param.default, bool)
    return session.words("help.default", value=f"{param.default:g}") if number else ""


def _pairs(pairs: Sequence[tuple[str, str]], room: int, left: int = 0) -> list[str]:
    """Names on the left, what they mean on the right, below the name where it is too long."""
    left = max(left, *(width(name) for name, _ in pairs if width(name) <= 24), 1) if pairs else 0
    lines: list[str] = []
    for name, meaning in pairs:
        first, *others = wrapped(meaning, max(20, room - left - 4))
        if width(name) > left:
            lines += [f"  {name}", f"{' ' * (left + 4)}{first}"]
        else:
            lines.append(f"  {padded(name, left)}  {first}")
        lines += [f"{' ' * (left + 4)}{line}" for line in others]
    return lines

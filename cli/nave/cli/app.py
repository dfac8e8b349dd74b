"""Builds the `nave` command from its entries: options that go anywhere, commands that are imported when they run."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from nave.cli import exits
from nave.cli.commands import ENTRIES
from nave.cli.commands.entry import Entry
from nave.cli.failures import WrongUsage, ended_by
from nave.cli.helptext import help_text
from nave.cli.session import FORMS, Session
from nave.cli.words import Words, language_of

_META = "nave."


def app(arguments: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> Root:
    """The whole command line, speaking the language that these arguments and this environment ask for."""
    environ = os.environ if environ is None else environ
    words = Words(language_of(arguments, environ))
    return Root(_Shelf(words, environ), Entry("nave", examples=("nave init shop", "nave run")))


@dataclass(frozen=True)
class _Shelf:
    """What all commands of one invocation share."""

    words: Words
    environ: Mapping[str, str] = field(repr=False)

    def session(self, ctx: click.Context | None) -> Session:
        """What was asked for, wherever on the line it stood."""
        said: dict[str, Any] = {}
        if ctx is not None:
            meta = ctx.find_root().meta
            said = {name.removeprefix(_META): value for name, value in meta.items() if name.startswith(_META)}
        hub = said.pop("hub", None) or self.environ.get("NAVE_HUB") or None
        return Session(hub=Path(hub) if hub else None, words=self.words, environ=self.environ, **said)


class _Helping(click.Command):
    """A command whose help is laid out by Nave."""

    def __init__(self, shelf: _Shelf, entry: Entry, **attributes: Any) -> None:
        params = [param.made() for param in entry.params]
        super().__init__(
            entry.name.split()[-1],
            params=[*params, *_shared()],
            context_settings={"help_option_names": ["-h", "--help"]},
            **attributes,
        )
        self.shelf = shelf
        self.entry = entry
        self.hidden = entry.hidden
        self.short_help = shelf.words(f"command.{entry.name}")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            # The parser does not always say which command it was parsing.
            error.ctx = error.ctx or ctx
            raise

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(help_text(ctx, self.entry, self.shelf.session(ctx)))


class _Group(_Helping, click.Group):
    """A group whose commands are made when they are named."""

    def __init__(self, shelf: _Shelf, entry: Entry) -> None:
        super().__init__(shelf, entry, no_args_is_help=False, invoke_without_command=True, callback=self._alone)
        prefix = "" if entry.name == "nave" else f"{entry.name} "
        inner = {one.name.removeprefix(prefix): one for one in ENTRIES if one.name.startswith(prefix)}
        self.entries = {name: one for name, one in inner.items() if name and " " not in name}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        if not entry.target:
            return _Group(self.shelf, entry)
        return _Helping(self.shelf, entry, callback=partial(_run, self.shelf, entry))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.entries and not args[0].startswith("-"):
            near = get_close_matches(args[0], [name for name, one in self.entries.items() if not one.hidden], n=1)
            raise WrongUsage("usage.command", near=near[0] if near else "", ctx=ctx, name=args[0])
        return super().resolve_command(ctx, args)

    def _alone(self) -> None:
        ctx = click.get_current_context()
        if ctx.invoked_subcommand is None:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(exits.USAGE)


class Root(_Group):
    """`nave` itself: runs a command and turns whatever comes of it into an exit status."""

    def __init__(self, shelf: _Shelf, entry: Entry) -> None:
        super().__init__(shelf, entry)
        version = click.Option(["--version"], is_flag=True, expose_value=False, is_eager=True, callback=_print_version)
        self.params.append(version)

    def main(self, args: Sequence[str] | None = None, *_: Any, **extra: Any) -> NoReturn:
        listed = list(sys.argv[1:] if args is None else args)
        seen: list[click.Context] = []
        try:
            status = self._invoked(listed, seen)
            sys.stdout.flush()
        except OSError as error:
            if error.errno != errno.EPIPE:
                raise
            # Whoever reads our output has seen enough: nothing more to say, and no second complaint at the exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            status = exits.FINE
        sys.exit(status)

    def _invoked(self, arguments: list[str], seen: list[click.Context]) -> int:
        _keep_going(sys.stdout, sys.stderr)
        try:
            with self.make_context("nave", arguments) as ctx:
                seen.append(ctx)
                answer = self.invoke(ctx)
            return answer if isinstance(answer, int) else exits.FINE
        except click.exceptions.Exit as done:
            return done.exit_code
        except BrokenPipeError:
            raise
        except (Exception, KeyboardInterrupt) as error:
            return ended_by(error, self._session_for(error, seen))

    def _session_for(self, error: BaseException, seen: Sequence[click.Context]) -> Session:
        ctx = getattr(error, "ctx", None) or (seen[-1] if seen else None)
        return self.shelf.session(ctx)


def _run(shelf: _Shelf, entry: Entry, **params: Any) -> int:
    """Import the code behind a command, and call it."""
    module, _, name = entry.target.partition(":")
    function: Callable[..., int | None] = getattr(import_module(module), name)
    return function(shelf.session(click.get_current_context()), **params) or exits.FINE


def _shared() -> list[click.Parameter]:
    """Options that every command takes, before its name or after it."""
    common: dict[str, Any] = {"expose_value": False, "callback": _remember}
    return [
        click.Option(["--hub"], metavar="DIR", **common),
        click.Option(["--lang"], type=click.Choice(["en", "zh"]), **common),
        click.Option(["--json", "form"], flag_value="json", **common),
        click.Option(["-o", "--output", "form"], type=click.Choice(FORMS), metavar="FORM", **common),
        click.Option(["--color"], type=click.Choice(["auto", "always", "never"]), metavar="WHEN", **common),
        click.Option(["--utc"], is_flag=True, **common),
        click.Option(["-v", "--verbose"], is_flag=True, **common),
    ]


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    if value and param.name != "lang":
        ctx.find_root().meta[f"{_META}{param.name}"] = value
    return value


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import version

        click.echo(f"nave {version('nave')}")
        ctx.exit()


def _keep_going(*streams: Any) -> None:
    """Let no text stop a command because a terminal's encoding cannot show it."""
    for stream in streams:
        if hasattr(stream, "reconfigure") and (stream.encoding or "").lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="replace")

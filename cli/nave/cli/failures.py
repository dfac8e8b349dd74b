"""Ends a command that cannot go on: the right exit status, the error form, never a traceback unless it was asked for."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import click

from nave.cli import exits
from nave.cli.cells import printable
from nave.cli.session import Session
from nave.core.errors import NaveError, RetryableError

UNEXPECTED = "NAVE-E010"
_EXTRA = re.compile(r"Got unexpected extra arguments? \((.*)\)")
"""What the parser says; it has no error of its own for it."""


class Stop(NaveError):
    """A command that ends with an error of its own, and with this exit status."""

    def __init__(self, status: int, code: str, *, field: str | None = None, **params: object) -> None:
        super().__init__(code, field=field, **params)
        self.status = status


class BadHub(Exception):
    """A hub folder with errors in it; `problems` are all of them, and the warnings too."""

    def __init__(self, problems: Sequence[Any]) -> None:
        super().__init__("bad hub")
        self.problems = problems


class WrongUsage(click.UsageError):
    """A command that was called wrongly, said with one of the command line's texts."""

    def __init__(self, key: str, *, near: str = "", ctx: click.Context | None = None, **params: object) -> None:
        super().__init__(key, ctx)
        self.key = key
        self.near = near
        self.params = params


def ended_by(error: BaseException, session: Session) -> int:
    """Tell what happened, and return the exit status."""
    for kind, tell in _TELLERS:
        if isinstance(error, kind):
            return tell(error, session)
    raise error


def _told(session: Session, code: str, text: str, help_: str) -> None:
    """The error form, or on `--json` the same as data."""
    if session.form == "json":
        session.answer({"error": {"code": code or None, "text": text, "help": help_}}, [])
        return
    session.note(error_line(session, code, text))
    if help_:
        session.note(f"  {session.words('error.help')}: {printable(help_)}")


def error_line(session: Session, code: str, text: str) -> str:
    """`error[NAVE-E201]: what is wrong`."""
    word = session.words("error.error") + (f"[{code}]" if code else "")
    return f"{session.margin.style(word, 'bad')}: {printable(text)}"


def _nave_error(error: Any, session: Session) -> int:
    _told(session, error.code, error.text(session.language), error.help(session.language))
    if session.verbose:
        session.note("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, Stop):
        return error.status
    return exits.UNREACHED if isinstance(error, RetryableError) else exits.PROBLEM


def _bad_hub(error: Any, session: Session) -> int:
    if session.form == "json":
        session.answer({"problems": [problem.as_json(session.language) for problem in error.problems]}, [])
    for problem in error.problems if session.form != "json" else ():
        session.note(problem.render(session.language))
    return exits.PROBLEM


def _usage(error: Any, session: Session) -> int:
    text, near = _usage_text(error, session)
    path = error.ctx.command_path if error.ctx else "nave"
    help_ = session.words("usage.near", name=near) if near else session.words("usage.help", command=f"{path} --help")
    _told(session, "", text, help_)
    return exits.USAGE


def _usage_text(error: click.UsageError, session: Session) -> tuple[str, str]:
    """What is wrong with the call, in the user's language, and what was probably meant."""
    words = session.words
    if isinstance(error, WrongUsage):
        return words(error.key, **error.params), error.near
    if isinstance(error, click.NoSuchOption):
        return words("usage.option", name=error.option_name), next(iter(error.possibilities or ()), "")
    if isinstance(error, click.BadOptionUsage):
        return words("usage.needs_value", name=error.option_name), ""
    if isinstance(error, click.MissingParameter):
        return words("usage.missing", name=_name(error)), ""
    if isinstance(error, click.BadParameter):
        return words("usage.bad_value", name=_name(error), reason=_expected(error, session)), ""
    if extra := _EXTRA.match(error.format_message()):
        return words("usage.extra", name=extra[1]), ""
    return words("usage.other", reason=error.format_message()), ""


def _name(error: click.BadParameter) -> str:
    param = error.param
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return param.make_metavar(error.ctx) if param is not None and error.ctx else str(error.param_hint or "")


_EXPECTED: tuple[tuple[type[click.ParamType[Any]], str], ...] = (
    (click.Choice, "usage.choice"),
    (click.Path, "usage.path"),
    (click.IntRange, "usage.number"),
    (click.FloatRange, "usage.number"),
)


def _expected(error: click.BadParameter, session: Session) -> str:
    kind = error.param.type if error.param is not None else None
    for type_, key in _EXPECTED:
        if isinstance(kind, type_):
            listed = ", ".join(map(str, getattr(kind, "choices", ())))
            return session.words(key, choices=listed, least=getattr(kind, "min", ""))
    return error.format_message()


def _interrupted(_error: BaseException, session: Session) -> int:
    session.remark("error.interrupted")
    return exits.INTERRUPTED


def _unexpected(error: BaseException, session: Session) -> int:
    known = NaveError(UNEXPECTED, reason=f"{type(error).__name__}: {error}")
    _told(session, UNEXPECTED, known.text(session.language), session.words("error.verbose"))
    if session.verbose:
        session.note("".join(traceback.format_exception(error)).rstrip())
    return exits.PROBLEM


Teller = Callable[[Any, Session], int]
_TELLERS: Sequence[tuple[type[BaseException], Teller]] = (
    (BadHub, _bad_hub),
    (NaveError, _nave_error),
    (click.UsageError, _usage),
    (click.Abort, _interrupted),
    (KeyboardInterrupt, _interrupted),
    (Exception, _unexpected),
)

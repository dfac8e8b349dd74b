"""Logs of the workers on stderr: lines for people on a terminal, JSON lines elsewhere, only warnings unless asked."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from nave.cli.session import Session


class _Stderr:
    """Writes to whatever stderr is at the moment: a progress bar replaces it while it is shown."""

    def msg(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    log = debug = info = warn = warning = error = exception = critical = fatal = msg


def _logger(*_arguments: Any) -> _Stderr:
    return _Stderr()


def configure(session: Session) -> None:
    """Set up logging for this process."""
    level = logging.INFO if session.verbose else logging.WARNING
    human = sys.stderr.isatty()
    render: Any = (
        structlog.dev.ConsoleRenderer(colors=session.colored(sys.stderr))
        if human
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    traces = [] if human else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if human else "iso", utc=not human or session.utc),
            *traces,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_logger,
        cache_logger_on_first_use=False,
    )

"""How far training is: a bar on a terminal, a line for every part of it anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from nave.cli.session import Session
from nave.core.matching.training import Progress


@contextmanager
def told(session: Session) -> Iterator[Progress]:
    """What training reports to, shown as this user's terminal allows."""
    if not sys.stderr.isatty():
        yield _lines(session)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True, no_color=not session.colored(sys.stderr))
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bars.update(task, description=session.words(f"match.doing.{what}"), completed=done, total=total)

        yield show


def _lines(session: Session) -> Progress:
    said: set[str] = set()

    def show(what: str, _done: int, total: int) -> None:
        if what not in said:
            said.add(what)
            session.remark(f"match.doing.{what}", count=f"{total:,}")

    return show

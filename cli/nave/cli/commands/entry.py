"""What a command is as data: its options, its examples and its exit statuses; and what many commands share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from nave.cli import exits

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
COUNT = click.IntRange(min=1)


@dataclass(frozen=True, slots=True)
class Param:
    """One option or argument; its help is the text `option.COMMAND.NAME`, or `option.NAME` where many share it."""

    names: tuple[str, ...]
    attributes: Mapping[str, Any]

    def made(self) -> click.Parameter:
        """As the parser wants it."""
        if self.names[0].startswith("-"):
            return click.Option(self.names, **self.attributes)
        return click.Argument(self.names, **self.attributes)


@dataclass(frozen=True, slots=True)
class Entry:
    """One command; a name of two words is a command of a group."""

    name: str
    target: str = ""
    """`module:function`, called with a Session and the parameters by name; empty for a group."""
    params: tuple[Param, ...] = ()
    examples: tuple[str, ...] = ()
    exits: tuple[int, ...] = (exits.FINE, exits.PROBLEM, exits.USAGE)
    hidden: bool = False


def option(*names: str, **attributes: Any) -> Param:
    """Something that may be left out: `--limit N`."""
    return Param(names, attributes)


def flag(*names: str) -> Param:
    """Something that is there or not."""
    return Param(names, {"is_flag": True})


def argument(name: str, metavar: str, **attributes: Any) -> Param:
    """Something that is told by its place."""
    return Param((name,), {"metavar": metavar, **attributes})


LEVELS = option("--levels", type=COUNT, metavar="N")
KIND = option("--kind", type=click.Choice(["design", "production", "order"]))
ON = option("--on", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE")
LETTERS = (
    argument("ids", "[ID]...", nargs=-1),
    flag("--all"),
    option("--flow", metavar="NAME"),
    option("--code", metavar="CODE"),
)
SETTLING = (flag("--yes", "-y"), option("--as", "actor", metavar="NAME"))
PAIR = (argument("one", "ENTITY/SYSTEM:KEY"), argument("other", "SYSTEM:KEY"))
DECIDING = (option("--reason", metavar="TEXT", required=True), flag("--dry-run"), SETTLING[1])
HELD = (argument("number", "ID"), option("--reason", metavar="TEXT", required=True), SETTLING[1])
POLL = option("--poll", type=click.FloatRange(min=0.05), default=1.0, metavar="S")
WORKING = (exits.FINE, exits.PROBLEM, exits.USAGE, exits.UNREACHED, exits.REFUSED, exits.INTERRUPTED)
LOOKING = (exits.FINE, exits.PROBLEM, exits.USAGE, exits.UNREACHED)
REPAIRING = (exits.FINE, exits.PROBLEM, exits.USAGE, exits.UNREACHED, exits.PARTLY, exits.REFUSED)

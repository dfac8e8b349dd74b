"""Every command of `nave`; the code behind each is imported when it runs."""

from __future__ import annotations

from nave.cli.commands.entry import Entry
from nave.cli.commands.look import LOOK
from nave.cli.commands.other import OTHER
from nave.cli.commands.repair import REPAIR
from nave.cli.commands.start import START
from nave.cli.commands.work import WORK

ENTRIES: tuple[Entry, ...] = (*START, *WORK, *LOOK, *REPAIR, *OTHER)

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("start", ("init", "new", "check", "test", "doctor")),
    ("work", ("run", "sync", "serve", "worker", "schedule")),
    ("look", ("status", "show", "around", "bom", "why", "trace", "receipt", "waiting", "findings", "audit")),
    ("repair", ("review", "unmerge", "pin", "unpin", "dead", "unknown", "holds", "sink", "source", "map", "plan", "apply")),
    ("other", ("explain", "match", "connector", "schema", "db", "backup")),
)
"""The commands as `nave --help` groups them."""

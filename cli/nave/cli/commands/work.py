"""Commands that do the hub's work."""

from __future__ import annotations

from nave.cli import exits
from nave.cli.commands.entry import COUNT, FILE, POLL, REPAIRING, WORKING, Entry, argument, flag, option

WORK: tuple[Entry, ...] = (
    Entry(
        "run",
        "nave.cli.run:run",
        (
            flag("--until-idle"),
            POLL,
            flag("--no-http"),
            option("--workers", type=COUNT, metavar="N"),
        ),
        ("nave run", "nave run --until-idle --no-http"),
        (*REPAIRING, exits.INTERRUPTED),
    ),
    Entry("serve", "nave.cli.roles:serve", (), ("nave serve", "nave --hub /srv/plant serve"), WORKING),
    Entry("worker", "nave.cli.roles:worker", (POLL,), ("nave worker", "nave worker --poll 0.5"), WORKING),
    Entry("schedule", "nave.cli.roles:schedule", (POLL,), ("nave schedule", "nave schedule --poll 0.5"), WORKING),
    Entry(
        "sync",
        "nave.cli.sync:sync",
        (argument("source", "SOURCE"), flag("--full"), option("--file", type=FILE, metavar="F")),
        ("nave sync erp.customers", "nave sync erp.order_files --file orders_7.xml"),
        (*REPAIRING, exits.INTERRUPTED),
    ),
)

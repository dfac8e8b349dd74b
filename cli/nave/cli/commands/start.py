"""Commands that begin and check a hub."""

from __future__ import annotations

import click

from nave.cli import exits
from nave.cli.commands.entry import FILE, FOLDER, LOOKING, NEW_FILE, Entry, argument, flag, option

START: tuple[Entry, ...] = (
    Entry(
        "init",
        "nave.cli.init:init",
        (
            argument("folder", "[DIR]", type=FOLDER, default="."),
            option("--example", type=click.Choice(["plant", "plant-systems", "plant-tryton"])),
            option("--system", "systems", multiple=True, metavar="NAME"),
            option("--list", "listed", is_flag=True),
            option("--size", type=click.IntRange(50, 900_000), default=200, metavar="N"),
            option("--seed", type=int, default=1, metavar="N"),
        ),
        (
            "nave init shop",
            "nave init plant --example plant",
            "nave init plant --example plant-systems",
            "nave init hub --system nc --system tryton",
            "nave init --list",
        ),
        (exits.FINE, exits.USAGE, exits.REFUSED),
    ),
    Entry("check", "nave.cli.check:check", (), ("nave check", "nave check --json")),
    Entry(
        "test",
        "nave.cli.testing:test",
        (
            argument("select", "[SELECT]", required=False),
            option("--junit", type=NEW_FILE, metavar="FILE"),
            flag("--coverage"),
            flag("--watch"),
        ),
        ("nave test", "nave test 'erp/*' --watch"),
    ),
    Entry("new"),
    Entry(
        "new mapping",
        "nave.cli.newmapping:new_mapping",
        (
            argument("name", "NAME"),
            option("--from-sample", "sample", type=FILE, metavar="FILE", required=True),
            option("--entity", metavar="ENTITY", required=True),
            option("--source", metavar="SOURCE"),
            option("--record", metavar="ELEMENT"),
        ),
        (
            "nave new mapping wms/customer --from-sample c.csv --entity customer",
            "nave new mapping erp/customer --from-sample c.csv --entity customer --source erp.customers",
            "nave new mapping erp/order --from-sample o.xml --record Order --entity order --source erp.orders",
        ),
        (exits.FINE, exits.PROBLEM, exits.USAGE, exits.REFUSED),
    ),
    Entry("doctor", "nave.cli.doctor:doctor", (), ("nave doctor", "nave doctor --json"), LOOKING),
)

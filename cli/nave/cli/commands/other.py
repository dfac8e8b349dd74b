"""Commands about matching, connectors, the store and Nave itself."""

from __future__ import annotations

import click

from nave.cli import exits
from nave.cli.commands.entry import COUNT, FILE, FOLDER, LOOKING, NEW_FILE, SETTLING, Entry, argument, flag, option

OTHER: tuple[Entry, ...] = (
    Entry(
        "explain",
        "nave.cli.explain:explain",
        (argument("topic", "CODE|FILTER|filters|codes"),),
        ("nave explain NAVE-M104", "nave explain filters"),
        (exits.FINE, exits.USAGE),
    ),
    Entry("schema"),
    Entry(
        "schema export",
        "nave.cli.schema:export",
        (argument("folder", "[DIR]", type=FOLDER, required=False),),
        ("nave schema export schemas", "nave schema export --json"),
        (exits.FINE, exits.USAGE),
    ),
    Entry("db"),
    Entry("db upgrade", "nave.cli.database:upgrade", (), ("nave db upgrade", "nave --hub /srv/plant db upgrade"), LOOKING),
    Entry(
        "db restored",
        "nave.cli.backup:restored",
        (SETTLING[1],),
        ("nave db restored", "nave --hub /srv/plant db restored"),
        (*LOOKING, exits.REFUSED),
    ),
    Entry(
        "backup",
        "nave.cli.backup:backup",
        (argument("file", "FILE", type=NEW_FILE),),
        ("nave backup /backup/nave-2026-11-21.db", "nave --hub /srv/plant backup nave.copy.db"),
        (*LOOKING, exits.REFUSED),
    ),
    Entry("match"),
    Entry(
        "match train",
        "nave.cli.matching:train_model",
        (
            argument("entity", "ENTITY"),
            option("--sample", type=COUNT, default=20_000, metavar="N"),
            option("--to", type=NEW_FILE, metavar="FILE"),
        ),
        ("nave match train customer", "nave match train product --sample 50000"),
        LOOKING,
    ),
    Entry(
        "match show",
        "nave.cli.matching:show_model",
        (argument("entity", "ENTITY"),),
        ("nave match show customer", "nave match show customer --json"),
        LOOKING,
    ),
    Entry(
        "match score",
        "nave.cli.matching:score_pair",
        (argument("one", "ENTITY/KEY"), argument("other", "KEY")),
        ("nave match score customer/C00871 10023", "nave match score customer/erp:C00871 crm:10023 --json"),
        LOOKING,
    ),
    Entry("connector"),
    Entry(
        "connector list",
        "nave.cli.connectors:list_connectors",
        (),
        ("nave connector list", "nave connector list --json"),
        (exits.FINE, exits.USAGE),
    ),
    Entry(
        "connector check",
        "nave.cli.connectorcheck:check_connections",
        (argument("name", "SYSTEM"),),
        ("nave connector check nc", "nave connector check crm.api --json"),
        LOOKING,
    ),
    Entry(
        "connector sample",
        "nave.cli.connectorsample:sample",
        (argument("source", "SYSTEM.SOURCE"), option("-n", "count", type=COUNT, default=5, metavar="N")),
        ("nave connector sample crm.customers", "nave connector sample erp.orders -n 20 --json"),
        LOOKING,
    ),
    Entry(
        "connector conform",
        "nave.cli.conform:conform",
        (argument("name", "NAME"), option("--config", type=FILE, metavar="FILE")),
        ("nave connector conform http", "nave connector conform sql --config server.yaml"),
    ),
    Entry(
        "connector install-capture",
        "nave.cli.capture:install_capture",
        (
            argument("system", "SYSTEM"),
            argument("tables", "TABLE...", nargs=-1, required=True),
            option("--key", multiple=True, metavar="COLUMN"),
            flag("--show"),
            flag("--remove"),
            SETTLING[0],
        ),
        ("nave connector install-capture erp CUSTOMER ITEM --show", "nave connector install-capture erp CUSTOMER --remove"),
        (*LOOKING, exits.REFUSED),
    ),
    Entry(
        "demo",
        "nave.cli.demo:demo",
        (
            argument("folder", "[DIR]", type=FOLDER, default="demo"),
            option("--size", type=click.IntRange(50, 900_000), default=200, metavar="N"),
            option("--seed", type=int, default=1, metavar="N"),
        ),
        ("nave demo", "nave demo plant --size 1000"),
        (exits.FINE, exits.PROBLEM, exits.USAGE, exits.REFUSED),
        hidden=True,
    ),
)

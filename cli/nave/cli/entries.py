"""Every command as data: its options, its examples and its exit statuses; the code behind it is imported when it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from nave.cli import exits

_FOLDER = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_COUNT = click.IntRange(min=1)


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


def _option(*names: str, **attributes: Any) -> Param:
    return Param(names, attributes)


def _flag(*names: str) -> Param:
    return Param(names, {"is_flag": True})


def _argument(name: str, metavar: str, **attributes: Any) -> Param:
    return Param((name,), {"metavar": metavar, **attributes})


_LEVELS = _option("--levels", type=_COUNT, metavar="N")
_KIND = _option("--kind", type=click.Choice(["design", "production", "order"]))
_ON = _option("--on", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE")
_LETTERS = (
    _argument("ids", "[ID]...", nargs=-1),
    _flag("--all"),
    _option("--flow", metavar="NAME"),
    _option("--code", metavar="CODE"),
)
_SETTLING = (_flag("--yes", "-y"), _option("--as", "actor", metavar="NAME"))
_PAIR = (_argument("one", "ENTITY/SYSTEM:KEY"), _argument("other", "SYSTEM:KEY"))
_DECIDING = (_option("--reason", metavar="TEXT", required=True), _flag("--dry-run"), _SETTLING[1])
_HELD = (_argument("number", "ID"), _option("--reason", metavar="TEXT", required=True), _SETTLING[1])
_POLL = _option("--poll", type=click.FloatRange(min=0.05), default=1.0, metavar="S")
_WORKING = (exits.FINE, exits.PROBLEM, exits.USAGE, exits.UNREACHED, exits.REFUSED, exits.INTERRUPTED)
_LOOKING = (exits.FINE, exits.PROBLEM, exits.USAGE, exits.UNREACHED)
_REPAIRING = (exits.FINE, exits.PROBLEM, exits.USAGE, exits.UNREACHED, exits.PARTLY, exits.REFUSED)

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "init",
        "nave.cli.init:init",
        (
            _argument("folder", "[DIR]", type=_FOLDER, default="."),
            _option("--example", type=click.Choice(["plant", "plant-systems", "plant-tryton"])),
            _option("--system", "systems", multiple=True, metavar="NAME"),
            _option("--list", "listed", is_flag=True),
            _option("--size", type=click.IntRange(50, 900_000), default=200, metavar="N"),
            _option("--seed", type=int, default=1, metavar="N"),
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
            _argument("select", "[SELECT]", required=False),
            _option("--junit", type=click.Path(path_type=Path), metavar="FILE"),
            _flag("--coverage"),
            _flag("--watch"),
        ),
        ("nave test", "nave test 'erp/*' --watch"),
    ),
    Entry(
        "run",
        "nave.cli.run:run",
        (
            _flag("--until-idle"),
            _POLL,
            _flag("--no-http"),
            _option("--workers", type=_COUNT, metavar="N"),
        ),
        ("nave run", "nave run --until-idle --no-http"),
        (*_REPAIRING, exits.INTERRUPTED),
    ),
    Entry("serve", "nave.cli.roles:serve", (), ("nave serve", "nave --hub /srv/plant serve"), _WORKING),
    Entry("worker", "nave.cli.roles:worker", (_POLL,), ("nave worker", "nave worker --poll 0.5"), _WORKING),
    Entry("schedule", "nave.cli.roles:schedule", (_POLL,), ("nave schedule", "nave schedule --poll 0.5"), _WORKING),
    Entry(
        "sync",
        "nave.cli.sync:sync",
        (_argument("source", "SOURCE"), _flag("--full"), _option("--file", type=_FILE, metavar="F")),
        ("nave sync erp.customers", "nave sync erp.order_files --file orders_7.xml"),
        (*_REPAIRING, exits.INTERRUPTED),
    ),
    Entry(
        "status",
        "nave.cli.status:status",
        (_flag("--watch", "-w"),),
        ("nave status", "nave status -w"),
        _LOOKING,
    ),
    Entry(
        "trace",
        "nave.cli.trace:trace",
        (_argument("what", "ENTITY/KEY|ID"),),
        ("nave trace customer/C00871", "nave trace 01JD5K7WQX2VH"),
        _LOOKING,
    ),
    Entry(
        "show",
        "nave.cli.show:show",
        (_argument("what", "ENTITY/KEY"),),
        ("nave show customer/C00871", "nave show order/SO-2026/117 --json"),
        _LOOKING,
    ),
    Entry(
        "why",
        "nave.cli.why:why",
        (_argument("what", "ENTITY/KEY[.FIELD]"),),
        ("nave why customer/C00871.name", "nave why customer/C00871"),
        _LOOKING,
    ),
    Entry(
        "around",
        "nave.cli.around:around",
        (_argument("what", "ENTITY/KEY"), _option("--limit", type=_COUNT, default=20, metavar="N")),
        ("nave around customer/C00871", "nave around sold_product/ZB-000120/SN100001 --json"),
        _LOOKING,
    ),
    Entry("bom"),
    Entry(
        "bom explode",
        "nave.cli.bom:explode",
        (
            _argument("what", "PRODUCT|BOM"),
            _LEVELS,
            _option("--quantity", default="1", metavar="Q"),
            _flag("--summed"),
            _KIND,
            _option("--revision", metavar="R"),
            _ON,
        ),
        ("nave bom explode ZB-000120 --quantity 12.5", "nave bom explode PB0000120 --summed"),
        _LOOKING,
    ),
    Entry(
        "bom where-used",
        "nave.cli.bom:where_used",
        (_argument("what", "PRODUCT"), _LEVELS, _KIND, _ON, _option("--all", "everything", is_flag=True)),
        ("nave bom where-used ZB-000007", "nave bom where-used ZB-000007 --levels 1 --all"),
        _LOOKING,
    ),
    Entry(
        "bom compare",
        "nave.cli.bom:compare",
        (
            _argument("one", "A"),
            _argument("other", "B"),
            _option("--levels", type=_COUNT, default=1, metavar="N"),
            _ON,
        ),
        ("nave bom compare ZB-000120:design@A ZB-000120:design@B", "nave bom compare OB0000007 ZB-000120:production"),
        _LOOKING,
    ),
    Entry(
        "pin",
        "nave.cli.pins:pin",
        (
            _argument("what", "ENTITY/KEY.FIELD|list"),
            _argument("value", "[VALUE]", required=False),
            _option("--reason", metavar="TEXT"),
            _option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE"),
            _SETTLING[1],
        ),
        ("nave pin customer/C00871.grade A --reason 'agreed with sales' --until 2027-03-31", "nave pin list"),
        (*_LOOKING, exits.REFUSED),
    ),
    Entry(
        "unpin",
        "nave.cli.pins:unpin",
        (_argument("number", "ID"), _SETTLING[1]),
        ("nave unpin 01JD5K7WQX2VH", "nave unpin 01JD5K7WQX2VH --as li.wei"),
        _LOOKING,
    ),
    Entry(
        "findings",
        "nave.cli.findings:list_findings",
        (
            _argument("verb", "[settle]", required=False),
            _argument("ids", "[ID]...", nargs=-1),
            _option("--limit", type=_COUNT, default=50, metavar="N"),
            _SETTLING[1],
        ),
        ("nave findings", "nave findings settle 01JD5K7WQX2VH"),
        _LOOKING,
    ),
    Entry("audit"),
    Entry(
        "audit list",
        "nave.cli.audit:list_entries",
        (
            _option("--limit", type=_COUNT, default=20, metavar="N"),
            _option("--actor", metavar="NAME"),
            _option("--action", metavar="WORD"),
            _option("--subject", metavar="TEXT"),
        ),
        ("nave audit list", "nave audit list --actor 'Zhang San' --action review"),
        _LOOKING,
    ),
    Entry("audit verify", "nave.cli.audit:verify", (), ("nave audit verify", "nave audit verify --json"), _LOOKING),
    Entry(
        "receipt",
        "nave.cli.receipts:receipt",
        (_argument("what", "[ID|FILE]", required=False), _option("--limit", type=_COUNT, default=50, metavar="N")),
        ("nave receipt orders_7.xml", "nave receipt 01JD5K7WQX2VH --json"),
        (*_LOOKING, exits.PARTLY),
    ),
    Entry(
        "unknown",
        "nave.cli.unknown:unknown",
        (
            _argument("verb", "[settle]", required=False),
            _argument("number", "[ID]", required=False),
            _argument("verdict", "[done|again]", required=False),
            _option("--key", metavar="KEY"),
            _option("--limit", type=_COUNT, default=50, metavar="N"),
            _SETTLING[1],
        ),
        ("nave unknown", "nave unknown settle nc.vouchers/01JD5K7WQX2VH done --key V-2026-0117"),
        _LOOKING,
    ),
    Entry("dead"),
    Entry(
        "dead list",
        "nave.cli.dead:list_letters",
        (*_LETTERS[2:], _option("--limit", type=_COUNT, default=20, metavar="N")),
        ("nave dead list", "nave dead list --flow erp.customers --code NAVE-M104"),
        _LOOKING,
    ),
    Entry(
        "dead show",
        "nave.cli.dead:show_letter",
        (_argument("number", "ID"),),
        ("nave dead show 01JD5K7WQX2VH", "nave dead show 01JD5K7WQX2VH --json"),
        _LOOKING,
    ),
    Entry(
        "dead replay",
        "nave.cli.settle:replay",
        (*_LETTERS, _flag("--dry-run"), *_SETTLING),
        ("nave dead replay --code NAVE-M104 --dry-run", "nave dead replay 01JD5K7WQX2VH"),
        _REPAIRING,
    ),
    Entry(
        "dead discard",
        "nave.cli.settle:discard",
        (*_LETTERS, *_SETTLING),
        ("nave dead discard 01JD5K7WQX2VH", "nave dead discard --flow crm.contacts --yes"),
        _REPAIRING,
    ),
    Entry("review"),
    Entry(
        "review list",
        "nave.cli.review:list_pairs",
        (
            _argument("entity", "[ENTITY]", required=False),
            _option("--limit", type=_COUNT, default=20, metavar="N"),
        ),
        ("nave review list", "nave review list customer --json"),
        _LOOKING,
    ),
    Entry(
        "review show",
        "nave.cli.review:show_pair",
        _PAIR,
        ("nave review show customer/erp:C00871 crm:10023", "nave review show customer/erp:C00871 crm:10023 --json"),
        _LOOKING,
    ),
    Entry(
        "review merge",
        "nave.cli.deciding:merge",
        (*_PAIR, *_DECIDING),
        ('nave review merge customer/erp:C00871 crm:10023 --reason "same tax number, seen"',),
        _REPAIRING,
    ),
    Entry(
        "review separate",
        "nave.cli.deciding:separate",
        (*_PAIR, *_DECIDING),
        ('nave review separate customer/erp:C00871 crm:10023 --reason "two branches"',),
        _REPAIRING,
    ),
    Entry(
        "review undo",
        "nave.cli.deciding:undo",
        (_argument("number", "ID"), _flag("--dry-run"), _SETTLING[1]),
        ("nave review undo 01JD5K7WQX2VH", "nave review undo 01JD5K7WQX2VH --dry-run"),
        _REPAIRING,
    ),
    Entry(
        "review approve",
        "nave.cli.deciding:approve",
        (_argument("number", "ID"), _SETTLING[1]),
        ("nave review approve 01JD5K7WQX2VH --as zhang.min",),
        (*_LOOKING, exits.REFUSED),
    ),
    Entry(
        "review log",
        "nave.cli.review:log",
        (_option("--limit", type=_COUNT, default=20, metavar="N"),),
        ("nave review log", "nave review log --json"),
        _LOOKING,
    ),
    Entry(
        "unmerge",
        "nave.cli.unmerge:unmerge",
        (
            _argument("what", "ENTITY/KEY"),
            _argument("names", "SYSTEM:KEY...", nargs=-1, required=True),
            _option("--reason", metavar="TEXT", default=""),
            _flag("--dry-run"),
            *_SETTLING,
        ),
        (
            "nave unmerge customer/C00871 crm:10023 --dry-run",
            'nave unmerge customer/C00871 crm:10023 --reason "another company" --yes',
        ),
        _REPAIRING,
    ),
    Entry(
        "plan",
        "nave.cli.plan:plan",
        (
            _option("--file", "-f", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE"),
            _option("--detailed-exitcode", "detailed", is_flag=True),
        ),
        ("nave plan", "nave plan -f change.json --detailed-exitcode"),
        (*_LOOKING, exits.PARTLY),
    ),
    Entry(
        "apply",
        "nave.cli.plan:apply",
        (_argument("file", "[FILE]", type=_FILE, required=False), *_SETTLING),
        ("nave apply change.json", "nave apply --yes"),
        (*_LOOKING, exits.REFUSED),
    ),
    Entry("sink"),
    Entry(
        "sink resume",
        "nave.cli.resume:resume_sink",
        (_argument("name", "SINK"), _SETTLING[1]),
        ("nave sink resume crm.customers_out",),
        _LOOKING,
    ),
    Entry("source"),
    Entry(
        "source resume",
        "nave.cli.resume:resume_source",
        (_argument("name", "SOURCE"), _SETTLING[1]),
        ("nave source resume erp.customers",),
        _LOOKING,
    ),
    Entry("holds"),
    Entry(
        "holds list",
        "nave.cli.holds:list_holds",
        (_flag("--all"),),
        ("nave holds list", "nave holds list --all"),
        _LOOKING,
    ),
    Entry(
        "holds show",
        "nave.cli.holds:show_hold",
        (_argument("number", "ID"),),
        ("nave holds show 01JD5K7WQX2VH", "nave holds show 01JD5K7WQX2VH --json"),
        _LOOKING,
    ),
    Entry(
        "holds release",
        "nave.cli.holds:release",
        _HELD,
        ('nave holds release 01JD5K7WQX2VH --reason "new price list"',),
        (*_LOOKING, exits.REFUSED),
    ),
    Entry(
        "holds discard",
        "nave.cli.holds:discard",
        _HELD,
        ('nave holds discard 01JD5K7WQX2VH --reason "half a file"',),
        (*_LOOKING, exits.REFUSED),
    ),
    Entry(
        "waiting",
        "nave.cli.waiting:waiting",
        (_option("--limit", type=_COUNT, default=50, metavar="N"),),
        ("nave waiting", "nave waiting --json"),
        _LOOKING,
    ),
    Entry("map"),
    Entry(
        "map explain",
        "nave.cli.mapexplain:explain_mapping",
        (_argument("mapping", "MAPPING"),),
        ("nave map explain erp/customer", "nave map explain erp/customer --json"),
    ),
    Entry(
        "map try",
        "nave.cli.maptry:try_mapping",
        (
            _argument("mapping", "MAPPING"),
            _option("--input", "file", type=_FILE, metavar="F"),
            _option("--last", type=_COUNT, metavar="N"),
            _flag("--watch"),
        ),
        ("nave map try erp/customer --input samples/customers.csv --watch", "nave map try erp/customer --last 5"),
        (*_LOOKING, exits.PARTLY),
    ),
    Entry(
        "map missing",
        "nave.cli.missing:missing",
        (_argument("table", "[TABLE]", required=False), _flag("--release"), *_SETTLING),
        ("nave map missing", "nave map missing region --release"),
        _REPAIRING,
    ),
    Entry("new"),
    Entry(
        "new mapping",
        "nave.cli.newmapping:new_mapping",
        (
            _argument("name", "NAME"),
            _option("--from-sample", "sample", type=_FILE, metavar="FILE", required=True),
            _option("--entity", metavar="ENTITY", required=True),
            _option("--source", metavar="SOURCE"),
            _option("--record", metavar="ELEMENT"),
        ),
        (
            "nave new mapping wms/customer --from-sample c.csv --entity customer",
            "nave new mapping erp/customer --from-sample c.csv --entity customer --source erp.customers",
            "nave new mapping erp/order --from-sample o.xml --record Order --entity order --source erp.orders",
        ),
        (exits.FINE, exits.PROBLEM, exits.USAGE, exits.REFUSED),
    ),
    Entry(
        "explain",
        "nave.cli.explain:explain",
        (_argument("topic", "CODE|FILTER|filters|codes"),),
        ("nave explain NAVE-M104", "nave explain filters"),
        (exits.FINE, exits.USAGE),
    ),
    Entry("schema"),
    Entry(
        "schema export",
        "nave.cli.schema:export",
        (_argument("folder", "[DIR]", type=_FOLDER, required=False),),
        ("nave schema export schemas", "nave schema export --json"),
        (exits.FINE, exits.USAGE),
    ),
    Entry("doctor", "nave.cli.doctor:doctor", (), ("nave doctor", "nave doctor --json"), _LOOKING),
    Entry("db"),
    Entry("db upgrade", "nave.cli.database:upgrade", (), ("nave db upgrade", "nave --hub /srv/plant db upgrade"), _LOOKING),
    Entry(
        "db restored",
        "nave.cli.backup:restored",
        (_SETTLING[1],),
        ("nave db restored", "nave --hub /srv/plant db restored"),
        (*_LOOKING, exits.REFUSED),
    ),
    Entry(
        "backup",
        "nave.cli.backup:backup",
        (_argument("file", "FILE", type=click.Path(dir_okay=False, path_type=Path)),),
        ("nave backup /backup/nave-2026-11-21.db", "nave --hub /srv/plant backup nave.copy.db"),
        (*_LOOKING, exits.REFUSED),
    ),
    Entry("match"),
    Entry(
        "match train",
        "nave.cli.matching:train_model",
        (
            _argument("entity", "ENTITY"),
            _option("--sample", type=_COUNT, default=20_000, metavar="N"),
            _option("--to", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE"),
        ),
        ("nave match train customer", "nave match train product --sample 50000"),
        _LOOKING,
    ),
    Entry(
        "match show",
        "nave.cli.matching:show_model",
        (_argument("entity", "ENTITY"),),
        ("nave match show customer", "nave match show customer --json"),
        _LOOKING,
    ),
    Entry(
        "match score",
        "nave.cli.matching:score_pair",
        (_argument("one", "ENTITY/KEY"), _argument("other", "KEY")),
        ("nave match score customer/C00871 10023", "nave match score customer/erp:C00871 crm:10023 --json"),
        _LOOKING,
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
        (_argument("name", "SYSTEM"),),
        ("nave connector check nc", "nave connector check crm.api --json"),
        _LOOKING,
    ),
    Entry(
        "connector sample",
        "nave.cli.connectorsample:sample",
        (_argument("source", "SYSTEM.SOURCE"), _option("-n", "count", type=_COUNT, default=5, metavar="N")),
        ("nave connector sample crm.customers", "nave connector sample erp.orders -n 20 --json"),
        _LOOKING,
    ),
    Entry(
        "connector conform",
        "nave.cli.conform:conform",
        (_argument("name", "NAME"), _option("--config", type=_FILE, metavar="FILE")),
        ("nave connector conform http", "nave connector conform sql --config server.yaml"),
    ),
    Entry(
        "connector install-capture",
        "nave.cli.capture:install_capture",
        (
            _argument("system", "SYSTEM"),
            _argument("tables", "TABLE...", nargs=-1, required=True),
            _option("--key", multiple=True, metavar="COLUMN"),
            _flag("--show"),
            _flag("--remove"),
            _SETTLING[0],
        ),
        ("nave connector install-capture erp CUSTOMER ITEM --show", "nave connector install-capture erp CUSTOMER --remove"),
        (*_LOOKING, exits.REFUSED),
    ),
    Entry(
        "demo",
        "nave.cli.demo:demo",
        (
            _argument("folder", "[DIR]", type=_FOLDER, default="demo"),
            _option("--size", type=click.IntRange(50, 900_000), default=200, metavar="N"),
            _option("--seed", type=int, default=1, metavar="N"),
        ),
        ("nave demo", "nave demo plant --size 1000"),
        (exits.FINE, exits.PROBLEM, exits.USAGE, exits.REFUSED),
        hidden=True,
    ),
)

SECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("start", ("init", "new", "check", "test", "doctor")),
    ("work", ("run", "sync", "serve", "worker", "schedule")),
    ("look", ("status", "show", "around", "bom", "why", "trace", "receipt", "waiting", "findings", "audit")),
    ("repair", ("review", "unmerge", "pin", "unpin", "dead", "unknown", "holds", "sink", "source", "map", "plan", "apply")),
    ("other", ("explain", "match", "connector", "schema", "db", "backup")),
)
"""The commands as `nave --help` groups them."""

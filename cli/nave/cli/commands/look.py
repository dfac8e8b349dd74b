"""Commands that look and change nothing, but for findings that somebody settles."""

from __future__ import annotations

from nave.cli import exits
from nave.cli.commands.entry import COUNT, KIND, LEVELS, LOOKING, ON, SETTLING, Entry, argument, flag, option

LOOK: tuple[Entry, ...] = (
    Entry(
        "status",
        "nave.cli.status:status",
        (flag("--watch", "-w"),),
        ("nave status", "nave status -w"),
        LOOKING,
    ),
    Entry(
        "trace",
        "nave.cli.trace:trace",
        (argument("what", "ENTITY/KEY|ID"),),
        ("nave trace customer/C00871", "nave trace 01JD5K7WQX2VH"),
        LOOKING,
    ),
    Entry(
        "show",
        "nave.cli.show:show",
        (argument("what", "ENTITY/KEY"),),
        ("nave show customer/C00871", "nave show order/SO-2026/117 --json"),
        LOOKING,
    ),
    Entry(
        "why",
        "nave.cli.why:why",
        (argument("what", "ENTITY/KEY[.FIELD]"),),
        ("nave why customer/C00871.name", "nave why customer/C00871"),
        LOOKING,
    ),
    Entry(
        "around",
        "nave.cli.around:around",
        (argument("what", "ENTITY/KEY"), option("--limit", type=COUNT, default=20, metavar="N")),
        ("nave around customer/C00871", "nave around sold_product/ZB-000120/SN100001 --json"),
        LOOKING,
    ),
    Entry("bom"),
    Entry(
        "bom explode",
        "nave.cli.bom:explode",
        (
            argument("what", "PRODUCT|BOM"),
            LEVELS,
            option("--quantity", default="1", metavar="Q"),
            flag("--summed"),
            KIND,
            option("--revision", metavar="R"),
            ON,
        ),
        ("nave bom explode ZB-000120 --quantity 12.5", "nave bom explode PB0000120 --summed"),
        LOOKING,
    ),
    Entry(
        "bom where-used",
        "nave.cli.bom:where_used",
        (argument("what", "PRODUCT"), LEVELS, KIND, ON, option("--all", "everything", is_flag=True)),
        ("nave bom where-used ZB-000007", "nave bom where-used ZB-000007 --levels 1 --all"),
        LOOKING,
    ),
    Entry(
        "bom compare",
        "nave.cli.bom:compare",
        (
            argument("one", "A"),
            argument("other", "B"),
            option("--levels", type=COUNT, default=1, metavar="N"),
            ON,
        ),
        ("nave bom compare ZB-000120:design@A ZB-000120:design@B", "nave bom compare OB0000007 ZB-000120:production"),
        LOOKING,
    ),
    Entry(
        "findings",
        "nave.cli.findings:list_findings",
        (
            argument("verb", "[settle]", required=False),
            argument("ids", "[ID]...", nargs=-1),
            option("--limit", type=COUNT, default=50, metavar="N"),
            SETTLING[1],
        ),
        ("nave findings", "nave findings settle 01JD5K7WQX2VH"),
        LOOKING,
    ),
    Entry("audit"),
    Entry(
        "audit list",
        "nave.cli.audit:list_entries",
        (
            option("--limit", type=COUNT, default=20, metavar="N"),
            option("--actor", metavar="NAME"),
            option("--action", metavar="WORD"),
            option("--subject", metavar="TEXT"),
        ),
        ("nave audit list", "nave audit list --actor 'Zhang San' --action review"),
        LOOKING,
    ),
    Entry("audit verify", "nave.cli.audit:verify", (), ("nave audit verify", "nave audit verify --json"), LOOKING),
    Entry(
        "receipt",
        "nave.cli.receipts:receipt",
        (argument("what", "[ID|FILE]", required=False), option("--limit", type=COUNT, default=50, metavar="N")),
        ("nave receipt orders_7.xml", "nave receipt 01JD5K7WQX2VH --json"),
        (*LOOKING, exits.PARTLY),
    ),
    Entry(
        "waiting",
        "nave.cli.waiting:waiting",
        (option("--limit", type=COUNT, default=50, metavar="N"),),
        ("nave waiting", "nave waiting --json"),
        LOOKING,
    ),
)

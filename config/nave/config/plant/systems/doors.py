"""Writes what comes to the plant's doors by itself: punches that its clock pushes, labels that the ramp scans."""

from __future__ import annotations

from pathlib import Path

from nave.config.plant.drop import put
from nave.config.plant.erp_papers import left, serials, shipped
from nave.config.plant.hr_files import Punch, dump_line, punches, say_punch
from nave.config.plant.sayings import ref
from nave.config.plant.systems.names import CLOCK
from nave.config.plant.truth import Dead, TruthWriter
from nave.config.plant.world import Line, Order, World

PUSHED, SCANS = "data/zkteco/pushed.txt", "data/autoid/scans.txt"
PINS = "tables/zkteco_pin.csv"
_STRANGER = "999999\t2026-11-03 07:40:00\t0\t15"
_FUTURE = "2099-01-01 08:00:00\t0\t15"


def write_clock(folder: Path, world: World, truth: TruthWriter) -> None:
    """What the clock pushes, some of it twice; its memory of the first days as a file; whose PIN is whose."""
    people = world.employees
    first, all_ = list(punches(people, 0, 5)), list(punches(people, 0, 7))
    put(folder / "drop/zkteco", "1_attlog.dat", "".join(dump_line(*one) for one in first).encode("ascii"), 220)
    lines = [_pushed(one) for one in all_]
    future = f"{int(people[0].code)}\t{_FUTURE}"
    lines = [*lines, *lines[::40], _STRANGER, future]
    _write(folder / PUSHED, [f"{line}\t0\t0\t0\t" for line in lines])
    _write(folder / PINS, ["from,to", *(f"{int(one.code)},{one.code}" for one in people)])
    for one in all_:
        say_punch(*one, truth)
    truth.died(Dead("zkteco.punches", "NAVE-M104", key=_key(_STRANGER), field="employee"))
    truth.died(Dead("zkteco.punches", "NAVE-M103", key=_key(future), field="at"))
    truth.wrote("zkteco.dumps", len(first))
    truth.wrote("zkteco.punches", len(lines))
    truth.dirtied("punch repeated", len(first) + len(lines[::40]))


def _pushed(punch: Punch) -> str:
    return "\t".join(dump_line(*punch).split("\t")[part].strip() for part in (0, 1, 3, 4))


def _key(line: str) -> str:
    return "/".join([CLOCK, *line.split("\t")])


def write_scans(folder: Path, world: World, truth: TruthWriter) -> None:
    """The labels of all that left, in the order in which it did; some are read twice, one was printed wrong."""
    goods = [(order, line, number) for order in shipped(world) for line in order.lines for number in serials(order, line)]
    labels = [_label(*one) for one in goods]
    for one in goods:
        _say_sold(*one, truth)
    again = labels[::9]
    wrong = labels[0].rpartition("|")[0]
    _write(folder / SCANS, [wrong, *labels, *again])
    truth.died(Dead("autoid.sold", "NAVE-K377"))
    truth.wrote("autoid.sold", len(labels) + len(again) + 1)
    truth.dirtied("label scanned twice", len(again))
    truth.dirtied("label printed wrong")


def _label(order: Order, line: Line, number: str) -> str:
    return f"{line.product.code}|{number}|{order.company.known['erp'].key}|{left(order):%Y%m%d}"


def _say_sold(order: Order, line: Line, number: str, truth: TruthWriter) -> None:
    values = {
        "serial": number,
        "product": ref("erp", line.product.code),
        "customer": ref("erp", order.company.known["erp"].key),
        "sold": left(order).isoformat(),
    }
    truth.alone("sold_product", "autoid", f"{line.product.code}/{number}", values)


def _write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")

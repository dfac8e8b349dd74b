"""Writes what the plant's HR hands out: employees as CSV, punches as the clocks dump them, monthly sales as a workbook."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from nave.config.plant import words
from nave.config.plant.dirt import day_text, full_width, plain_time
from nave.config.plant.drop import SECOND_WAVE, put
from nave.config.plant.sayings import instant, money, ref
from nave.config.plant.truth import Dead, TruthWriter
from nave.config.plant.workbook import Cell, workbook
from nave.config.plant.world import BASE, Employee, World, sellers

_FOLDER = "drop/hr"
EMPLOYEES = ("工号", "姓名", "部门", "岗位", "状态", "手机", "邮箱", "入职日期", "更新时间")
SALES = ("工号", "姓名", "月份", "销售额", "订单数", "目标")
MONTH = "2026-10"
_MONTH_FORMS: tuple[Cell, ...] = (MONTH, "2026年10月", datetime(2026, 10, 1).date(), "2026/10")  # noqa: DTZ001
_BRANCH_FROM = 0.8


def write_hr_files(folder: Path, world: World, truth: TruthWriter) -> None:
    """Employees in two files of two encodings, two dumps of one clock of which the later repeats the earlier, sales."""
    _write_employees(folder, world.employees, truth)
    _write_punches(folder, world.employees, truth)
    _write_sales(folder, world, truth)


def _write_employees(folder: Path, people: Sequence[Employee], truth: TruthWriter) -> None:
    cut = int(len(people) * _BRANCH_FROM)
    main = [_employee(person, person.at) for person in people[:cut]]
    branch = [_employee(person, person.at) for person in people[cut:]]
    moved = [_employee(person, person.at - timedelta(days=10)) for person in people[:cut:9]]
    middle = len(main) // 2
    main.insert(middle, ("999998", "多列", *("x",) * (len(EMPLOYEES) + 1)))
    truth.died(Dead("hr.employees", "NAVE-D140", file="employees.csv", number=middle + 2))
    _put_csv(folder, "employees.csv", "gb18030", main, 200, truth)
    _put_csv(folder, "employees_branch.csv", "utf-8-sig", branch + moved, 210, truth)
    truth.dirtied("GBK file")
    truth.dirtied("UTF-8 file with a BOM")
    truth.dirtied("row with too many columns")
    truth.dirtied("stale after newer", len(moved))


def _put_csv(folder: Path, name: str, encoding: str, rows: Sequence[Sequence[str]], minute: int, truth: TruthWriter) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([EMPLOYEES, *rows])
    put(folder / _FOLDER, name, text.getvalue().encode(encoding), minute)
    truth.wrote("hr.employees", len(rows))


def _employee(person: Employee, at: datetime) -> tuple[str, ...]:
    index, current = person.index, at == person.at
    return (
        person.code,
        person.name,
        person.department if current else "待分配",
        person.position,
        words.HR_STATE[person.status],
        full_width(person.phone) if index % 6 == 1 else person.phone,
        "",
        day_text(person.hired, index),
        plain_time(at),
    )


def _write_punches(folder: Path, people: Sequence[Employee], truth: TruthWriter) -> None:
    first = [dump_line(*punch) for punch in punches(people, 0, 5)]
    rest = [dump_line(*punch) for punch in punches(people, 5, 7)]
    for punch in punches(people, 0, 7):
        say_punch(*punch, truth)
    twice = first[::40]
    again = first + rest + twice
    put(folder / _FOLDER, "1_attlog.dat", "".join(first).encode("ascii"), 220)
    put(folder / _FOLDER, "2_attlog.dat", "".join(again).encode("ascii"), 230)
    truth.wrote("hr.attendance", len(first) + len(again))
    truth.dirtied("punch repeated", len(first) + len(twice))


Punch = tuple[Employee, datetime, str, str]


def punches(people: Sequence[Employee], start: int, end: int) -> Iterator[Punch]:
    """Who of those that are still there came and went, from one day of the plant to before another."""
    methods = tuple(words.VERIFY)
    staff = [person for person in people if person.status == "active"]
    for day in range(start, end):
        for person in staff:
            late = (person.index * 7 + day * 13) % 40
            arrival = BASE + timedelta(days=day + 1, minutes=late - 20, seconds=person.index % 60)
            yield person, arrival, "in", methods[person.index % 3]
            yield person, arrival + timedelta(hours=9, minutes=late), "out", methods[(person.index + day) % 3]


def dump_line(person: Employee, at: datetime, direction: str, method: str) -> str:
    """A line of a clock's memory."""
    codes = (words.PUNCH[direction], words.VERIFY[method])
    return f"{int(person.code):>9}\t{plain_time(at)}\t1\t{codes[0]}\t{codes[1]}\t0\r\n"


def say_punch(person: Employee, at: datetime, direction: str, method: str, truth: TruthWriter) -> None:
    """Tell the truth of one punch."""
    values = {
        "employee": ref("hr", person.code),
        "at": instant(at),
        "direction": direction,
        "method": method,
        "device": "1",
    }
    key = f"{int(person.code)}/{plain_time(at)}/{words.PUNCH[direction]}/{words.VERIFY[method]}"
    truth.alone("attendance", "hr", key, values)


def _write_sales(folder: Path, world: World, truth: TruthWriter) -> None:
    rows = [_sales_row(*one) for one in sold(world)]
    for one in sold(world):
        say_sales(*one, truth)
    content = workbook("业绩", "销售业绩 2026年10月", SALES, rows)
    put(folder / _FOLDER, f"sales_{MONTH}.xlsx", content, 240)
    put(folder / SECOND_WAVE / "hr", f"sales_{MONTH}.xlsx", content, 1_220)
    truth.wrote("hr.sales", len(rows))
    truth.dirtied("file repeated")
    truth.dirtied("leading zeros lost", sum(isinstance(row[0], int) for row in rows))


def sold(world: World) -> Iterator[tuple[Employee, Decimal, int]]:
    """What each seller sold in the month: the sum and how many orders."""
    sums: dict[str, tuple[Decimal, int]] = {}
    for order in world.orders:
        if order.date.isoformat().startswith(MONTH):
            amount, count = sums.get(order.salesperson, (Decimal("0.00"), 0))
            sums[order.salesperson] = (amount + order.total, count + 1)
    return ((person, *sums[person.code]) for person in sellers(world.employees) if person.code in sums)


def goal(person: Employee) -> Decimal:
    """What he was to sell."""
    return Decimal(person.index % 7 * 100_000 + 200_000)


def _sales_row(person: Employee, amount: Decimal, count: int) -> tuple[Cell, ...]:
    return (
        int(person.code) if person.index % 4 == 0 else person.code,
        person.name,
        _MONTH_FORMS[person.index % len(_MONTH_FORMS)],
        f"￥{amount:,.2f}",
        count,
        float(goal(person)),
    )


def say_sales(person: Employee, amount: Decimal, count: int, truth: TruthWriter) -> None:
    """Tell the truth of one seller's month."""
    values = {
        "employee": ref("hr", person.code),
        "month": MONTH,
        "amount": money(amount),
        "orders": count,
        "target": money(goal(person)),
    }
    truth.alone("sales_performance", "hr", f"{person.code}/{MONTH}", values)

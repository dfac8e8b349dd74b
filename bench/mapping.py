"""How long one record takes through a mapping of 20 fields: compiled by Nave, written by hand, and in Jinja2 per field.

Run it alone: `python bench/mapping.py [records]`. The three take turns; the least and the median of the rounds are printed.
The least is what the work costs: CPU time is not stolen by neighbours, but caches and the clock of a shared core are.
`python bench/mapping.py memory` maps 100,000 and then 1,000,000 records, batch by batch, and prints the peak of the process.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment

from nave.core.entities import FieldSpec, defined
from nave.mappings import MappingSpec, ValueTable, compile_inbound

ZONE = ZoneInfo("Asia/Shanghai")
STATUS = {"N": "active", "Y": "blocked", "X": "inactive"}
REGION = {f"{code:06d}": f"R{code}" for code in range(100)}
ROUNDS = 15

EXPRESSIONS: dict[str, Any] = {
    "code": "CUST_CODE",
    "short_name": "SHORT",
    "tax_id": "TAX",
    "email": "MAIL",
    "street": "STREET",
    "city": "CITY",
    "postcode": "ZIP",
    "first": "FIRST",
    "last": "LAST",
    "discount": "DISCOUNT",
    "name": "CUST_NAME | trim",
    "phone": "TEL | trim",
    "remark": "REMARK | trim",
    "opened": "OPENED | date",
    "changed": "CHANGED | datetime",
    "status": {"from": "SEAL", "table": "status"},
    "region": {"from": "AREA", "table": "region"},
    "kind": "'company' if TYPE == 'C' else 'person'",
    "contact": "FIRST ~ ' ' ~ LAST",
    "credit": "CREDIT | decimal(2)",
}
"""10 renames, 3 trims, 2 dates, 2 tables, 1 condition, 1 concatenation, 1 decimal."""


def records(count: int, start: int = 0) -> list[dict[str, str]]:
    """Records as a parser gives them: every text is an object of its own."""
    made = [
        {
            "CUST_CODE": f"C{number:06d}", "CUST_NAME": f" 上海盈硕标牌有限公司 {number} ", "SHORT": f"盈硕{number}",
            "TAX": f"9131000{number:010d}x", "MAIL": f"Sales{number}@Example.com", "TEL": f"138{number:08d} ",
            "STREET": f"人民路 {number} 号", "CITY": "上海", "ZIP": "200000", "FIRST": "伟", "LAST": "李",
            "OPENED": "2019-03-07", "CHANGED": f"2026-11-21 14:20:{number % 60:02d}", "SEAL": "NYX"[number % 3],
            "AREA": f"{number % 100:06d}", "CREDIT": f"{number}.50", "DISCOUNT": "0.05", "TYPE": "CP"[number % 2],
            "REMARK": " x ",
        }
        for number in range(start, start + count)
    ]  # fmt: skip
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


def by_hand(batch: Sequence[dict[str, str]]) -> list[Any]:
    """The same work as somebody would write it, without any checks."""
    out = []
    cents = Decimal("0.01")
    for r in batch:
        changed = datetime.fromisoformat(r["CHANGED"]).replace(tzinfo=ZONE)
        version = f"{changed.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        values = {
            "code": r["CUST_CODE"], "short_name": r["SHORT"], "tax_id": r["TAX"], "email": r["MAIL"],
            "street": r["STREET"], "city": r["CITY"], "postcode": r["ZIP"], "first": r["FIRST"], "last": r["LAST"],
            "discount": r["DISCOUNT"], "name": r["CUST_NAME"].strip(), "phone": r["TEL"].strip(),
            "remark": r["REMARK"].strip(), "opened": date.fromisoformat(r["OPENED"]), "changed": changed,
            "status": STATUS[r["SEAL"]], "region": REGION[r["AREA"]],
            "kind": "company" if r["TYPE"] == "C" else "person", "contact": r["FIRST"] + " " + r["LAST"],
            "credit": Decimal(r["CREDIT"]).quantize(cents, ROUND_HALF_UP),
        }  # fmt: skip
        out.append((r["CUST_CODE"], version, changed, values))
    return out


def jinja() -> Callable[[Sequence[dict[str, str]]], list[Any]]:
    """One compiled Jinja2 expression per field, the usual way to let users write expressions."""
    environment = Environment(autoescape=False)
    environment.filters |= {
        "date": date.fromisoformat,
        "datetime": lambda text: datetime.fromisoformat(text).replace(tzinfo=ZONE),
        "decimal": lambda text, places=None: Decimal(text),
        "table": lambda text, name: {"status": STATUS, "region": REGION}[name][text],
    }
    texts = {
        name: f"{form['from']} | table({form['table']!r})" if "from" in form else repr(form["const"])
        for name, form in EXPRESSIONS.items()
        if isinstance(form, dict)
    }
    sources = {**EXPRESSIONS, **texts}
    compiled = {name: environment.compile_expression(source) for name, source in sources.items()}
    return lambda batch: [{name: run(**record) for name, run in compiled.items()} for record in batch]


def nave() -> Callable[[Sequence[dict[str, str]]], list[Any]]:
    """The mapping compiled by Nave."""
    kinds = {"opened": "date", "changed": "datetime", "credit": "number"}
    entity = defined(
        "thing", {"en": "Thing", "zh": "物"}, {name: FieldSpec(kinds.get(name, "text")) for name in EXPRESSIONS}
    )
    spec = MappingSpec.model_validate(
        {"mapping": "bench", "from": "erp.things", "to": "thing", "key": "CUST_CODE", "version": "CHANGED | datetime",
         "fields": EXPRESSIONS}
    )  # fmt: skip
    tables = {
        name: ValueTable.from_rows(name, [{"from": code, "to": value} for code, value in codes.items()])
        for name, codes in (("status", STATUS), ("region", REGION))
    }
    return compile_inbound(spec, entity, system="erp", time_zone=ZONE, tables=tables).run


def memory() -> None:
    """Print the peak of resident memory after 100,000 records, and after 900,000 more."""
    run, batch = nave(), 1_000
    done = 0
    for count in (100_000, 1_000_000):
        while done < count:
            run(records(batch, done))
            done += batch
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"Memory after {count:9,} records: {peak:7.1f} MiB at the peak")


def main() -> None:
    """Measure in turns and print one table."""
    if sys.argv[1:] == ["memory"]:
        memory()
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    subjects = {
        "written by hand, no checks": (by_hand, 1),
        "Nave": (nave(), 1),
        "Jinja2, one expression per field": (jinja(), 20),
    }
    batch = records(count)
    assert [tuple(row) for row in subjects["Nave"][0](batch[:50])] == by_hand(batch[:50])
    times: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, (run, share) in subjects.items():
            part = batch[: max(1, count // share)]
            start = time.process_time()
            for at in range(0, len(part), 1_000):
                run(part[at : at + 1_000])
            times[name].append((time.process_time() - start) / len(part) * 1e6)
    print(f"Mapping of {len(EXPRESSIONS)} fields, key and version; us of CPU per record, {ROUNDS} rounds")
    print(f"  {'':36} {'least':>8} {'median':>8}")
    base = min(times["Nave"])
    for name, taken in times.items():
        print(f"  {name:36} {min(taken):8.2f} {median(taken):8.2f}   {min(taken) / base:6.2f} x Nave")


if __name__ == "__main__":
    main()

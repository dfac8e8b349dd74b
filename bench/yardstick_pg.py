"""The raw limit on PostgreSQL: parse, map by hand, one COPY and one plain upsert per 1,000 records, and nothing else.

`python -m bench.yardstick_pg FILE URL`; in place of a file, the URL of a database with the same records in a table.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from itertools import islice

import psycopg
from psycopg.rows import dict_row

from bench.measure import peak_mib
from bench.yardstick import COLUMNS, mapped, records


def load(path: str, url: str) -> int:
    """Upsert the whole file, 1,000 records to a transaction, durable."""
    listed = ", ".join(COLUMNS)
    changed = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
    typed = ", ".join(f"{name} text" for name in COLUMNS)
    upsert = f"INSERT INTO raw_customer ({listed}) SELECT {listed} FROM stage ON CONFLICT (code) DO UPDATE SET {changed}"
    source, count = (rows(path) if "://" in path else records(path)), 0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE IF NOT EXISTS raw_customer ({typed}, PRIMARY KEY (code))")
        connection.execute("CREATE TEMP TABLE stage (LIKE raw_customer) ON COMMIT DELETE ROWS")
        while chunk := [mapped(record) for record in islice(source, 1000)]:  # type: ignore[arg-type]
            with connection.transaction():
                cursor = connection.cursor()
                with cursor.copy(f"COPY stage ({listed}) FROM STDIN") as copy:
                    for row in chunk:
                        copy.write_row(row)
                cursor.execute(upsert)
            count += len(chunk)
    return count


def rows(url: str) -> Iterator[dict[str, str | None]]:
    """The records of the table `erp_customer`, through a cursor of the server's."""
    with psycopg.connect(url, row_factory=dict_row) as connection, connection.cursor("bench") as cursor:
        cursor.itersize = 1000
        yield from cursor.execute("SELECT * FROM erp_customer")


def main() -> None:
    """Load once and print what it took, as JSON."""
    began, cpu = time.perf_counter(), time.process_time()
    count = load(sys.argv[1], sys.argv[2])
    seconds = time.perf_counter() - began
    print(json.dumps({"records": count, "seconds": seconds, "cpu": time.process_time() - cpu, "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()

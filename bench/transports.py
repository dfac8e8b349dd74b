"""Through the hub from one transport to another, each beside the smallest program that does the same and keeps nothing.

`python -m bench.transports RECORDS MESSAGES`: PostgreSQL to PostgreSQL and a file to PostgreSQL in us/record, RabbitMQ to
HTTP in messages/s, as JSON; {} where a server is missing. One process of the hub, on SQLite with every commit synced.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pika
import psycopg

from bench import data, relay
from bench.amqp_forwarder import QUEUE
from bench.measure import measured, peak_mib
from bench.scaled import database, nave
from nave.config import load
from nave.workers.build import build_hub, compile_hub
from nave.workers.loops import Run
from tests.servers import free_port, postgres, postgres_programs, rabbitmq, rabbitmq_programs

_HERE = Path(__file__).parent
Result = dict[str, Any]
_FROM_SQL = """
system: erp
time_zone: Asia/Shanghai
connections: {db: {type: sql, url: "${env:NAVE_BENCH_SOURCE}"}}
sources:
  customers:
    entity: customer
    from: db
    table: erp_customer
    since: {column: UPDATED_AT, key: CUST_CODE}
    mapping: erp/customer
"""
_TO_SQL = """
system: crm
connections: {db: {type: sql, url: "${env:NAVE_BENCH_TARGET}"}}
sinks:
  customers: {entity: customer, to: db, table: crm_customer, key: CODE, version: VERSION, mapping: crm/customer}
"""
_FIELDS = ("name", "short_name", "tax_id", "status", "kind", "grade", "region", "phone", "email", "payment_terms", "remark")
_COLUMNS = {field.upper(): field for field in _FIELDS}
_FROM_AMQP = """
system: crm
connections:
  mq: {type: amqp, url: "${env:NAVE_BENCH_MQ}", user: "${env:NAVE_BENCH_USER}", password: "${env:NAVE_BENCH_WORD}"}
sources:
  customers: {entity: customer, from: mq, queue: %s, mapping: crm/in}
"""


def sql_hub(folder: Path, *, from_sql: bool) -> Path:
    """The bench's hub with a table as its target, and a table or a file as its source."""
    shutil.copytree(_HERE / "hub", folder)
    (folder / "hub.yaml").write_text("hub: transports\nstore: sqlite:///nave.db\n", "utf-8")
    (folder / "systems" / "crm.yaml").write_text(_TO_SQL, "utf-8")
    fields = "".join(f"  {column}: {field}\n" for column, field in {"CODE": "code", **_COLUMNS}.items())
    mapping = f"mapping: crm/customer\nfrom: customer\nto: crm.customers\nfields:\n{fields}"
    (folder / "mappings" / "crm" / "customer.yaml").write_text(mapping, "utf-8")
    if from_sql:
        (folder / "systems" / "erp.yaml").write_text(_FROM_SQL, "utf-8")
    return folder


def made(url: str, records: int) -> None:
    """The ERP's table with so many customers, and the table they go to."""
    typed = ", ".join(f'"{name}" text' for name in data.FIELDS)
    listed = ", ".join(f'"{name}" text' for name in _COLUMNS)
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f'create table erp_customer ({typed}, primary key ("CUST_CODE"))')
        cursor.execute('create index on erp_customer ("UPDATED_AT", "CUST_CODE")')
        cursor.execute(f'create table crm_customer ("CODE" text primary key, "VERSION" bigint, {listed})')
        with cursor.copy("copy erp_customer from stdin") as copy:
            for number in range(records):
                record = data.record(number)
                copy.write_row([record[name] for name in data.FIELDS])


def to_sql(server: str, folder: Path, records: int) -> dict[str, Result]:
    """Both ways into a table, each in us/record, and the raw limit of each."""
    file = folder / "customers.xml"
    data.write(file, records)
    found = {}
    for name, source in (("sql", ""), ("file", str(file))):
        with database(server, f"transport_{name}") as url:
            made(url, records)
            raw = measured("yardstick_pg", source or url, url)
            hub = sql_hub(folder / name, from_sql=not source)
            if source:
                (hub / "drop").mkdir()
                shutil.copy(file, hub / "drop")
            os.environ |= {"NAVE_BENCH_SOURCE": url, "NAVE_BENCH_TARGET": url}
            through = measured("transports", "run", str(hub))
            with psycopg.connect(url) as connection:
                arrived = connection.execute("select count(*) from crm_customer").fetchone()
            if arrived != (records,):
                raise RuntimeError(f"{arrived} of {records} arrived")
        found[name] = {"raw": raw["seconds"] / records * 1e6, "hub": through["seconds"] / records * 1e6}
    return found


def run(folder: str) -> Result:
    """One batch run of a hub, from its start to the last receipt."""
    config = load(folder).config
    assert config
    hub = build_hub(config, compile_hub(config))
    began = time.perf_counter()
    work = Run(hub, until_idle=True)
    work.start(alone=True)
    work.wait()
    seconds = time.perf_counter() - began
    work.close()
    hub.hints.close()
    hub.store.close()
    return {"seconds": seconds, "peak_mib": peak_mib()}


def to_http(broker: str, folder: Path, messages: int) -> Result:
    """Messages/s from a full queue to a target in another process, from the first arrival to the last."""
    hub = folder / "amqp"
    shutil.copytree(_HERE / "relayhub", hub)
    door = free_port()
    (hub / "hub.yaml").write_text(
        f'hub: transports\nstore: sqlite:///nave.db\nhttp: {{listen: "127.0.0.1:{door}"}}\n', "utf-8"
    )
    (hub / "systems" / "crm.yaml").write_text(_FROM_AMQP % QUEUE, "utf-8")
    parts, sink = urlsplit(broker), free_port()
    os.environ |= {"NAVE_BENCH_MQ": f"amqp://{parts.hostname}:{parts.port}{parts.path}"}
    os.environ |= {"NAVE_BENCH_USER": str(parts.username), "NAVE_BENCH_WORD": str(parts.password)}
    target = f"http://127.0.0.1:{sink}"
    found = {}
    with relay.process("-m", "bench.relay_target", str(sink), port=sink):
        for name in ("raw", "hub"):
            fill(broker, messages)
            with ExitStack() as stack:
                if name == "hub":
                    stack.enter_context(nave(hub, "run", NAVE_BENCH_TARGET=target))
                else:
                    stack.enter_context(forwarder(broker, target))
                found[name] = asyncio.run(rate(target, messages))
    return found


def forwarder(broker: str, target: str) -> Any:
    """The bare one, in a process of its own."""
    return relay.process("-m", "bench.amqp_forwarder", broker, f"{target}/customers", port=urlsplit(broker).port or 0)


def fill(broker: str, messages: int) -> None:
    """A durable queue with so many persistent messages."""
    with pika.BlockingConnection(pika.URLParameters(broker)) as connection:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        kept = pika.BasicProperties(delivery_mode=2, content_type="application/json")
        for _ in range(messages):
            channel.basic_publish("", QUEUE, json.dumps(relay.event()).encode(), kept)


async def rate(target: str, messages: int) -> float:
    """Messages/s by the times at which they arrived."""
    async with aiohttp.ClientSession() as session:
        seen = sorted((await relay.arrivals(session, target, messages)).values())
    return (len(seen) - 1) / (seen[-1] - seen[0])


def measure(records: int, messages: int) -> Result:
    """All three; {} where a server is missing."""
    base, queue = postgres_programs(), rabbitmq_programs()
    if base is None or queue is None:
        return {}
    with tempfile.TemporaryDirectory(prefix="nave-transports-") as temporary:
        with postgres(base, durable=True) as server:
            found: Result = to_sql(server, Path(temporary), records)
        with rabbitmq(queue) as broker:
            found["amqp"] = to_http(broker, Path(temporary), messages)
    return found


if __name__ == "__main__":
    first, second = sys.argv[1:3]
    print(json.dumps(run(second) if first == "run" else measure(int(first), int(second))))

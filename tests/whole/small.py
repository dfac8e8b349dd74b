"""A small hub in a temporary folder, run in this process until nothing is left to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nave.config import load
from nave.connectors.targets import MemoryTarget, target
from nave.core import dead, views
from nave.core.views import SinkBooks, SourceBooks
from nave.workers.build import build_hub, compile_hub
from nave.workers.flows import Hub
from nave.workers.loops import Run

_SYSTEM = """
system: erp
time_zone: Asia/Shanghai
connections:
  drop: {{type: files, url: ./drop}}
sources:
  customers:
    entity: customer
    from: drop
    pattern: "{pattern}"
    format: {format}
    ready: {{quiet: 0s}}
    mapping: erp/customer
"""
_MAPPING = """
mapping: erp/customer
from: erp.customers
to: customer
key: CODE
fields:
  code: CODE
  name: NAME | squeeze
  region: {from: AREA, table: area}
"""
_TARGET = """
system: crm
connections: {{memory: {{type: {kind}, name: "{name}"{faults}}}}}
sinks:
  customers: {{entity: customer, to: memory, mapping: crm/customer}}
"""
_OUT = """
mapping: crm/customer
from: customer
to: crm.customers
fields: {CODE: code, NAME: name, REGION: region}
"""


def write(folder: Path, *, pattern: str, form: str, kind: str = "memory", faults: str = "") -> None:
    """A hub with one file source of customers and one target in memory."""
    for name in ("systems", "mappings/erp", "mappings/crm", "tables", "drop"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    files = {
        "hub.yaml": "hub: small\nlimits: {attempts: 3}\n",
        "systems/erp.yaml": _SYSTEM.format(pattern=pattern, format=form),
        "systems/crm.yaml": _TARGET.format(kind=kind, name=folder.name, faults=faults),
        "mappings/erp/customer.yaml": _MAPPING,
        "mappings/crm/customer.yaml": _OUT,
        "tables/area.csv": "from,to\nSH,310000\nBJ,110000\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


@contextmanager
def opened(folder: Path) -> Iterator[Hub]:
    """The hub of the folder as its files are now."""
    loaded = load(folder)
    assert loaded.config, [problem.render() for problem in loaded.problems]
    compiled = compile_hub(loaded.config)
    assert not compiled.problems, [problem.render() for problem in compiled.problems]
    hub = build_hub(loaded.config, compiled)
    try:
        yield hub
    finally:
        hub.hints.close()
        hub.store.close()


def run(folder: Path) -> None:
    """Until nothing is left to do."""
    with opened(folder) as hub:
        work = Run(hub, poll=0.05, until_idle=True)
        work.start(alone=True)
        try:
            work.wait()
        finally:
            work.close()


def letters(folder: Path) -> list[Any]:
    """Open dead letters."""
    with opened(folder) as hub, hub.store.read() as tx:
        return dead.open_letters(tx)


def books(folder: Path) -> tuple[SourceBooks, SinkBooks]:
    """Of the one source and the one sink."""
    with opened(folder) as hub, hub.store.read() as tx:
        (source,), (sink,) = views.source_books(tx, hub.sources), views.sink_books(tx, hub.sinks)
        return source, sink


def delivered(folder: Path) -> dict[str, str]:
    """Code -> name, as the target has them."""
    held: MemoryTarget = target(folder.name)
    return {one.values["CODE"]: one.values["NAME"] for one in held.tables["crm.customers"].values()}

"""Collects the evidence of one fault run from its folder: ledgers, the targets' own tables, and what `nave` prints."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any

import psycopg

from tests.faults.auditing import collected
from tests.faults.evidence import Effect, Evidence, Hub, Letter, Name, Said, told
from tests.faults.ledger import read

LEDGERS = "ledgers"
TARGETS = "targets.jsonl"
_GOLDEN = "select entity, doc from record where merged_into is null"


def evidence(folder: Path, environment: Mapping[str, str], store: str | None = None) -> Evidence:
    """Everything about a hub that is idle; `store` is its URL where that is not its own SQLite file."""
    return Evidence(
        told(source_lines(folder)), [*http_effects(folder), *sql_effects(folder)], _hub(folder, environment, store)
    )


def source_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The ledgers of all sources."""
    return chain.from_iterable(read(path) for path in sorted((folder / LEDGERS).glob("source-*.jsonl")))


def http_effects(folder: Path) -> Iterator[Effect]:
    """What the HTTP targets did, in their order; calls without an effect left out."""
    for line in read(folder / LEDGERS / TARGETS):
        if line["outcome"] == "applied":
            yield _effect(line["target"], {name.lower(): value for name, value in line.items()})


def sql_effects(folder: Path) -> list[Effect]:
    """What the SQL target did, as its own triggers wrote it down."""
    with closing(sqlite3.connect(folder / "books.db")) as books:
        books.row_factory = sqlite3.Row
        rows = books.execute("select * from EFFECTS order by CALL").fetchall()
    return [_effect("books.sales", {name.lower(): row[name] for name in row.keys()}) for row in rows]  # noqa: SIM118


def _effect(target: str, row: Mapping[str, Any]) -> Effect:
    said = Said(row.get("amount"), row.get("currency"), row["digest"], row.get("next"))
    return Effect(target, row["id"], row["version"], Name(row["channel"], row["number"]), row["seq"], said)


def _hub(folder: Path, environment: Mapping[str, str], store: str | None) -> Hub:
    status = nave(folder, environment, "status")
    listed = nave(folder, environment, "dead", "list", "--limit", "1000000")["letters"]
    letters = [_letter(one) for one in listed]
    unsettled = frozenset(one.id for one in letters)
    asked = [line for line in read(folder / LEDGERS / "clerk.jsonl") if line["what"] == "asked"]
    return Hub(
        status["sources"],
        status["sinks"],
        letters,
        [_golden(entity, json.loads(text)) for entity, text in _documents(folder, store)],
        collected(folder, store, unsettled),
        [one for one in {line["id"]: _letter(line) for line in asked}.values() if one.id not in unsettled],
    )


def _letter(one: Mapping[str, Any]) -> Letter:
    return Letter(one["flow"], one["stage"], one["key"] or "", one["code"] or "", one["text"] or "", one["id"])


def nave(folder: Path, environment: Mapping[str, str], *arguments: str) -> Any:
    """What a command answers as JSON."""
    command = [sys.executable, "-m", "nave.cli", "--hub", str(folder), "--json", "--lang", "en", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )
    if not done.stdout.strip():
        raise RuntimeError(f"{arguments} said nothing: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _documents(folder: Path, store: str | None) -> Sequence[tuple[str, str]]:
    if store is None:
        with closing(sqlite3.connect(f"file:{folder / 'nave.db'}?mode=ro", uri=True)) as base:
            return base.execute(_GOLDEN).fetchall()
    with psycopg.connect(store) as link:
        return list(link.execute(_GOLDEN).fetchall())


def _golden(entity: str, document: Mapping[str, Any]) -> tuple[Name, int, Said]:
    money = document.get("amount") or {}
    amount = None if entity == "customer" else str(money.get("amount"))
    said = Said(amount, money.get("currency"), document["digest"], document.get("following"))
    channel = "web.customers" if entity == "customer" else document["channel"]
    return Name(channel, document.get("number") or document["code"]), document["seq"], said


def soundness(folder: Path, log: Iterable[str]) -> Iterator[str]:
    """L11: the store's file is whole, and no traceback is in the log."""
    base = folder / "nave.db"
    if base.exists():
        with closing(sqlite3.connect(base)) as link:
            answer = link.execute("pragma integrity_check").fetchone()[0]
        if answer != "ok":
            yield f"integrity_check: {answer}"
    before: deque[str] = deque(maxlen=2)
    lines = iter(log)
    for line in lines:
        if "Traceback (most recent call last)" in line:
            after = [one.strip() for one in islice(lines, 60) if one.strip()]
            yield f"the hub's log holds a traceback: {' / '.join([*before, *after])[:3000]}"
        before.append(line.strip())

"""A hub small enough to be run a thousand times: files and events in; files, a table and a web service out.

What was sent, and what the targets hold, is known here without asking the hub.
"""

from __future__ import annotations

import csv
import hashlib
import http.client
import json
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

FILES = {
    "hub.yaml": """
        hub: small
        http: {listen: "${env:NAVE_LISTEN}"}
    """,
    "systems/src.yaml": """
        system: src
        connections:
          drop: {type: files, url: "${env:NAVE_DROP:-./drop}"}
          events: {type: http}
        sources:
          customers:
            entity: customer
            from: drop
            pattern: "*.csv"
            format: {type: csv}
            ready: {quiet: 0s}
            mapping: src/customer
          pushed: {entity: customer, from: events, mapping: src/pushed}
    """,
    "systems/dst.yaml": """
        system: dst
        connections:
          files: {type: files, url: "${env:NAVE_OUT:-./out}"}
          table: {type: sql, url: "sqlite:///target.db"}
          web: {type: http, url: "${env:NAVE_WEB}"}
        sinks:
          files: {entity: customer, to: files, name: "out_{seq}.csv", format: {type: csv}, mapping: dst/files}
          table: {entity: customer, to: table, table: T, key: ID, version: VERSION, create: true, mapping: dst/table}
          web: {entity: customer, to: web, path: "/c/{key}", method: PUT, mapping: dst/web}
    """,
    **{
        f"mappings/src/{name}.yaml": f"""
        mapping: src/{name}
        from: src.{source}
        to: customer
        key: CODE
        version: AT | datetime
        fields: {{code: CODE, name: NAME}}
        """
        for name, source in (("customer", "customers"), ("pushed", "pushed"))
    },
    **{
        f"mappings/dst/{name}.yaml": f"""
        mapping: dst/{name}
        from: customer
        to: dst.{name}
        fields: {{CODE: code, NAME: name{more}}}
        """
        for name, more in (("files", ""), ("table", ", ID: id, VERSION: version"), ("web", ""))
    },
}


def write_hub(folder: Path) -> None:
    """The hub's files and its empty drop folder."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    (folder / "drop").mkdir(exist_ok=True)


def row(key: str, version: int) -> dict[str, str]:
    """A record; each version of a key has a name of its own, so that effects can be counted."""
    at = f"{version // 3600:02}:{version // 60 % 60:02}:{version % 60:02}"
    return {"CODE": key, "NAME": f"{key} v{version:04}", "AT": f"2026-11-01 {at}"}


@dataclass
class Sources:
    """What was handed over: names and contents of files, and the events that were answered with 202."""

    files: dict[str, bytes] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    versions: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)
    """Of every request; 0 where there was none."""

    def drop(self, folder: Path, name: str, rows: list[tuple[str, int]]) -> None:
        """Let a whole file appear at once."""
        text = "CODE,NAME,AT\n" + "".join(",".join(row(*one).values()) + "\n" for one in rows)
        self.files[name] = text.encode()
        hidden = folder / f".{name}"
        hidden.write_bytes(self.files[name])
        hidden.rename(folder / name)
        self.say(rows)

    def say(self, rows: list[tuple[str, int]]) -> None:
        """These versions are the hub's business from now on."""
        for key, version in rows:
            self.said[key] = max(version, self.said.get(key, 0))
            self.versions.add(row(key, version)["NAME"])

    def push(self, port: int, rows: list[tuple[str, int]]) -> bool:
        """Send events in one request; whether the hub took them. Only then they must arrive."""
        self.versions |= {row(*one)["NAME"] for one in rows}
        body = json.dumps([row(*one) for one in rows])
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as line:
                line.request("POST", "/events/src.pushed", body, {"Content-Type": "application/json"})
                status = line.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        self.answers.append(status)
        if status != 202:
            return False
        self.say(rows)
        return True

    @property
    def truth(self) -> dict[str, str]:
        """Key -> the name of its latest version."""
        return {key: row(key, version)["NAME"] for key, version in self.said.items()}


@dataclass
class Web:
    """A web service with upsert by key, an idempotency key and a memory of every call."""

    url: str = ""
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    """Key of the record, idempotency key, name."""

    def effects(self) -> dict[str, list[str]]:
        """Per record, the names that took effect, in order: a repeated idempotency key has none."""
        found: dict[str, list[str]] = defaultdict(list)
        seen: set[str] = set()
        for key, idempotency, name in list(self.calls):
            if idempotency not in seen:
                seen.add(idempotency)
                found[key].append(name)
        return found


@contextmanager
def web() -> Iterator[Web]:
    """The service on a port of its own while the block runs."""
    held = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body: dict[str, Any] = json.loads(self.rfile.read(length))
            held.calls.append((self.path, self.headers["Idempotency-Key"], body["NAME"]))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def handle(self) -> None:
            try:
                super().handle()
            except (OSError, ValueError):
                return  # the hub was killed in the middle of a call

        def log_message(self, *words: Any) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def differences(
    folder: Path, sent: Sources, service: Web, *, drop: Path | None = None, out: Path | None = None
) -> list[str]:
    """Everything in which the targets, the archive and the store are not as what was sent says they must be."""
    return [
        *_files(out or folder / "out", sent),
        *_table(folder / "target.db", sent),
        *_service(service, sent),
        *_archive(drop or folder / "drop", sent),
        *_store(folder / "nave.db"),
    ]


def _files(out: Path, sent: Sources) -> Iterator[str]:
    latest: dict[str, str] = {}
    times: Counter[str] = Counter()
    for path in sorted(out.glob("*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for one in csv.DictReader(file):
                times[one["NAME"]] += 1
                latest[one["CODE"]] = one["NAME"]
    yield from (f"files: {name} written {count} times" for name, count in times.items() if count > 1)
    yield from _compared("files", latest, sent)


def _table(database: Path, sent: Sources) -> Iterator[str]:
    held: dict[str, str] = {}
    if database.exists():
        with closing(sqlite3.connect(database)) as target:
            rows = target.execute("select CODE, NAME from T").fetchall()
        held = dict(rows)
        if len(held) != len(rows):
            yield "table: a key has two rows"
    yield from _compared("table", held, sent)


def _service(service: Web, sent: Sources) -> Iterator[str]:
    latest: dict[str, str] = {}
    for names in service.effects().values():
        if len(set(names)) != len(names) or sorted(names) != names:
            yield f"web: effects out of order or twice: {names}"
        latest[names[-1].split()[0]] = names[-1]
    yield from _compared("web", latest, sent)


def _compared(where: str, held: dict[str, str], sent: Sources) -> Iterator[str]:
    for key, name in sent.truth.items():
        if held.get(key, "") < name:
            yield f"{where}: {key} is {held.get(key)}, not {name}"
    yield from (f"{where}: nobody sent {name}" for name in held.values() if name not in sent.versions)


def _archive(drop: Path, sent: Sources) -> Iterator[str]:
    archived = [path.read_bytes() for path in (drop / "archive").rglob("*") if path.is_file()]
    wanted = Counter(hashlib.sha256(content).hexdigest() for content in sent.files.values())
    found = Counter(hashlib.sha256(content).hexdigest() for content in archived)
    if wanted != found:
        yield f"archive: {sum(found.values())} files, {sum(wanted.values())} were sent"
    left = [str(path.relative_to(drop)) for path in drop.rglob("*") if path.is_file() and "archive" not in path.parts]
    yield from (f"drop: {name} was left" for name in left)


def _store(database: Path) -> Iterator[str]:
    with closing(sqlite3.connect(database)) as store:
        state = store.execute("pragma integrity_check").fetchone()[0]
        letters = store.execute("select count(*) from dead_letter").fetchone()[0]
    if state != "ok":
        yield f"store: {state}"
    if letters:
        yield f"store: {letters} dead letters"

"""Whoever asked to be told hears what became of each line: by a signed call, or in a table; once, also after a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from nave.connectors.sql.options import SqlOptions
from nave.core import receipts, stops, webhooks
from nave.workers.returning import write_back
from tests.connectors.sql_databases import every_database, run
from tests.connectors.web import Service, service
from tests.servers import free_port
from tests.whole import small
from tests.workers.dropped import HEADER, drop

__all__ = ["every_database"]

SECRET = "whsec_" + "bmF2ZSByZWNlaXB0cyBhcmUgc2lnbmVkIGxpa2UgdGhpcw=="
GOOD, BAD = "C1,上海,SH\r\n", "C2,北京,XX\r\n"


@pytest.fixture
def hooks() -> Iterator[Service]:
    with service(free_port()) as made:
        yield made


def hub(folder: Path, connection: str, receipt: str) -> None:
    """A hub whose customers are dropped as files, with a connection `told` beside them."""
    small.write(folder, pattern="*.csv", form="{type: csv}")
    system = folder / "systems/erp.yaml"
    text = system.read_text("utf-8").replace("sources:\n", f"  told: {connection}\nsources:\n", 1)
    system.write_text(f"{text}    receipt: {receipt}\n", "utf-8")


def calling(folder: Path, hooks: Service, monkeypatch: pytest.MonkeyPatch, more: str = "") -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    told = f"{{to: told, path: '/receipts/{{key}}', webhook: {{secret: '${{env:HOOK_SECRET}}'}}{more}}}"
    hub(folder, f"{{type: http, url: '{hooks.url}'}}", f"{{callback: {told}}}")


def look(folder: Path) -> int:
    """Look once, as a hub does now and then."""
    with small.opened(folder) as opened:
        return write_back(opened, everything=True)


def test_a_call_tells_each_line_signed_and_again_only_when_something_changed(
    hooks: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calling(tmp_path, hooks, monkeypatch)
    drop(tmp_path, "a.csv", HEADER + GOOD + BAD)

    small.run(tmp_path)
    small.run(tmp_path)
    told = len(hooks.requests)
    drop(tmp_path, "mended.csv", f"{HEADER.strip()},nave_line\r\nC2,北京,BJ,{_receipt(tmp_path)}:3\r\n")
    small.run(tmp_path)

    number = _receipt(tmp_path)
    mine = [(headers, body) for _, path, headers, body in hooks.requests if path == f"/receipts/{number}"]
    bodies = [json.loads(body) for _, body in mine]
    assert told == 1
    assert [[line["state"] for line in body["lines"]] for body in bodies] == [
        ["applied", "refused"],
        ["applied", "repaired"],
    ]
    assert (bodies[0]["file"], bodies[0]["complete"], bodies[0]["next"]) == ("a.csv", True, None)
    assert [headers["Idempotency-Key"] for headers, _ in mine] == [f"{number}-1", f"{number}-2"]
    for headers, body in mine:
        at = int(headers["webhook-timestamp"])
        wanted = webhooks.signed([webhooks.secret_key(SECRET)], headers["webhook-id"], at, body)
        assert headers["webhook-signature"] == wanted


def _receipt(folder: Path, name: str = "a.csv") -> str:
    with small.opened(folder) as opened, opened.store.read() as tx:
        return receipts.by_name(tx, name)[0].text


class Killed(BaseException):
    """The process ends here."""


def test_killed_between_telling_and_noting_it_the_same_is_told_under_the_same_key(
    hooks: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calling(tmp_path, hooks, monkeypatch)
    drop(tmp_path, "a.csv", HEADER + GOOD)
    killing = pytest.MonkeyPatch()
    killing.setattr(receipts, "looked", _kill)

    with pytest.raises(Killed):
        small.run(tmp_path)
    killing.undo()
    look(tmp_path)
    look(tmp_path)

    keys = [headers["Idempotency-Key"] for _, _, headers, _ in hooks.requests]
    assert len(keys) >= 2
    assert set(keys) == {f"{_receipt(tmp_path)}-1"}
    assert len({body for _, _, _, body in hooks.requests}) == 1
    assert hooks.effects == [f"{_receipt(tmp_path)}-1"]


def _kill(*_arguments: Any) -> None:
    raise Killed


def test_a_service_that_is_away_is_told_later_and_keeps_nothing_else(
    hooks: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calling(tmp_path, hooks, monkeypatch)
    hooks.behaviour = _answering(503)
    drop(tmp_path, "a.csv", HEADER + GOOD)

    small.run(tmp_path)

    assert small.delivered(tmp_path) == {"C1": "上海"}
    assert hooks.effects == []
    hooks.behaviour = None
    look(tmp_path)
    assert hooks.effects == [f"{_receipt(tmp_path)}-1"]


def test_what_is_refused_for_good_is_not_told_again_until_it_changes(
    hooks: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calling(tmp_path, hooks, monkeypatch)
    hooks.behaviour = _answering(422)
    drop(tmp_path, "a.csv", HEADER + GOOD + BAD)

    small.run(tmp_path)
    tried = len(hooks.requests)
    look(tmp_path)

    assert tried == len(hooks.requests) == 1


def test_a_login_that_is_refused_is_tried_once(hooks: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calling(tmp_path, hooks, monkeypatch)
    hooks.behaviour = _answering(401)
    drop(tmp_path, "a.csv", HEADER + GOOD)
    drop(tmp_path, "b.csv", HEADER + "C3,C,BJ\r\n")

    small.run(tmp_path)
    look(tmp_path)

    with small.opened(tmp_path) as opened, opened.store.read() as tx:
        assert [one.flow for one in stops.stopped(tx, ["erp.customers", "erp.customers.callback"])] == [
            "erp.customers.callback"
        ]
    assert len(hooks.requests) == 1
    assert set(small.delivered(tmp_path)) == {"C1", "C3"}


def _answering(status: int) -> Any:
    async def answer(request: web.Request, body: bytes) -> web.Response:
        return web.json_response({"error": "no"}, status=status)

    return answer


TABLE = (
    "create table RECEIPTS (ID varchar(60) primary key, V bigint, receipt varchar(40), source varchar(60), "
    "file_name varchar(120), line_no int, record_key varchar(60), state varchar(20), code varchar(20), field varchar(60), "
    "text_en varchar(900), text_zh varchar(900), waits_for varchar(200), settled_by varchar(200))"
)


@pytest.mark.service
def test_a_table_has_a_row_for_each_line_and_one_for_all(
    every_database: SqlOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(every_database, TABLE)
    monkeypatch.setenv("TOLD_URL", every_database.url)
    hub(tmp_path, "{type: sql, url: '${env:TOLD_URL}'}", "{table: {to: told, table: RECEIPTS, key: ID, version: V}}")
    drop(tmp_path, "a.csv", HEADER + GOOD + BAD)

    small.run(tmp_path)
    number = _receipt(tmp_path)
    before = run(every_database, "select ID, V, line_no, record_key, state, code from RECEIPTS order by line_no")
    drop(tmp_path, "mended.csv", f"{HEADER.strip()},nave_line\r\nC2,北京,BJ,{number}:3\r\n")
    small.run(tmp_path)
    after = run(every_database, "select line_no, state, code from RECEIPTS where file_name = 'a.csv' order by line_no")

    assert before == [
        (number, 1, 0, None, "complete", None),
        (f"{number}:2", 1, 2, "C1", "applied", None),
        (f"{number}:3", 1, 3, "C2", "refused", "NAVE-M104"),
    ]
    assert after == [(0, "complete", None), (2, "applied", None), (3, "repaired", "NAVE-M104")]
    assert run(every_database, "select text_zh from RECEIPTS where code is not null")[0][0]
    assert run(every_database, "select count(*) from RECEIPTS") == [(5,)]

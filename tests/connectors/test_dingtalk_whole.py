"""A hub of the ready-made systems for people: two cloud clocks, and a database with employees, punches and sales figures."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nave.config.readymade import ready_systems
from nave.core.store import open_store
from nave.core.store import schema as t
from tests.cli.calls import nave
from tests.peers import dingtalk as ding
from tests.peers import wecom as wx
from tests.peers.cloud_clocks import Cloud
from tests.servers import free_port

USERS = [f"u{number}" for number in range(130)]
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def clouds() -> Iterator[tuple[Cloud, Cloud]]:
    with ding.dingtalk(free_port()) as first, wx.wecom(free_port()) as second:
        yield first, second


@pytest.fixture
def folder(tmp_path: Path, clouds: tuple[Cloud, Cloud]) -> Path:
    for system in ("dingtalk", "wecom-hr", "hr-db"):
        for name, content in ready_systems()[system].files():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    (tmp_path / "hub.yaml").write_text("hub: people\n")
    start = (NOW - timedelta(days=40)).date().isoformat()
    for system, cloud in zip(("dingtalk", "wecom-hr"), clouds, strict=True):
        file = tmp_path / "systems" / f"{system}.yaml"
        text = (
            file.read_text()
            .replace("    # url: https://", f"    url: {cloud.url}  # ")
            .replace("start: 2026-11-01", f"start: {start}")
        )
        file.write_text(text)
    for name in ("dingtalk-users.txt", "wecom-users.txt"):
        (tmp_path / name).write_text("\n".join(USERS))
    (tmp_path / "data").mkdir()
    _database(tmp_path / "data" / "hr.db")
    return tmp_path


def environ(first: Cloud, second: Cloud) -> dict[str, str]:
    """What the ready-made files ask for."""
    return {
        "DINGTALK_APP_KEY": first.id,
        "DINGTALK_APP_SECRET": first.secret,
        "WECOM_CORP_ID": second.id,
        "WECOM_CHECKIN_SECRET": second.secret,
    }


def _database(path: Path) -> None:
    with sqlite3.connect(path) as made:
        made.executescript(
            "create table HR_EMPLOYEE (EMP_NO text, EMP_NAME text, DEPT_NAME text, POST_NAME text, EMP_STATUS text,"
            " MOBILE text, EMAIL text, HIRE_DATE text, UPDATED_AT text);"
            "create table HR_PUNCH"
            " (ID integer, EMP_NO text, CHECK_TIME text, CHECK_TYPE text, VERIFY_CODE integer, DEVICE_NO text);"
            "create table HR_SALES_MONTH"
            " (EMP_NO text, SALES_MONTH text, AMOUNT numeric, ORDER_COUNT integer, TARGET numeric, UPDATED_AT text);"
            "insert into HR_EMPLOYEE values"
            " ('000101', '周敏', '销售部', '工程师', '在职', '13812345678', null, '2016-03-23', '2026-11-14 21:59:53');"
            "insert into HR_PUNCH values (7, '000101', '2026-11-02 07:40:00', 'I', 15, '1');"
            "insert into HR_SALES_MONTH values ('000101', '2026-10', 1234.5, 3, null, '2026-11-02 01:00:00');"
        )
    made.close()


def golden(folder: Path, entity: str) -> list[dict[str, Any]]:
    store = open_store("sqlite:///nave.db", folder)
    try:
        with store.read() as tx:
            rows = tx.rows(t.record.select().with_only_columns(t.record.c.doc).where(t.record.c.entity == entity))
        return [json.loads(row[0]) for row in rows]
    finally:
        store.close()


@pytest.mark.slow
def test_everything_is_there_once_although_tokens_end(folder: Path, clouds: tuple[Cloud, Cloud]) -> None:
    moments = [NOW - timedelta(days=day, hours=1) for day in (1, 9, 35)]
    clouds[0].punches = [ding.punch(n * 10 + m, user, at) for n, user in enumerate(USERS) for m, at in enumerate(moments)]
    clouds[1].punches = [wx.punch(user, at) for user in USERS for at in moments]
    clouds[0].ends_after, clouds[1].ends_after = 4, 1

    assert nave("run", "--until-idle", hub=folder, environ=environ(*clouds)).status == 0

    people = Counter(one["employee"]["key"] for one in golden(folder, "attendance"))
    assert people == dict.fromkeys(USERS, 6) | {"000101": 1}
    assert [one["name"] for one in golden(folder, "employee") if "name" in one] == ["周敏"]
    (sales,) = golden(folder, "sales_performance")
    assert (sales["month"], sales["orders"], "target" in sales) == ("2026-10", 3, False)
    assert clouds[0].secret not in (folder / "nave.db").read_bytes().decode("latin-1")


def test_a_look_shows_records_and_lands_none(folder: Path, clouds: tuple[Cloud, Cloud]) -> None:
    clouds[0].punches = [ding.punch(1, "u1", NOW - timedelta(hours=3))]
    clouds[0].ends_after = None

    answer = nave("connector", "sample", "dingtalk.punches", "--json", hub=folder, environ=environ(*clouds))

    assert (answer.status, "userCheckTime" in answer.out) == (0, True)
    assert not (folder / "nave.db").exists()

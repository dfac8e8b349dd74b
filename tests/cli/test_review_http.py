"""Stewards over HTTP: who may look, who may decide, and that nobody decides blindly or twice."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from nave.cli.doors import opened_doors
from nave.config import load
from nave.core.reviewing import pair_id
from nave.core.store import open_store
from nave.workers.loops import Run
from tests.servers import free_port
from tests.whole.small import opened, run
from tests.whole.stewards import Web, customers, goldens, orders, write


class Said(NamedTuple):
    status: int
    data: Any
    headers: dict[str, str]


@dataclass
class Door:
    folder: Path
    port: int

    def ask(self, method: str, path: str, body: Any = None, token: str | None = "a", **headers: str) -> Said:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named["Authorization"] = f"Bearer {token}"
        content = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, content, named)
            answer = connection.getresponse()
            return Said(answer.status, json.loads(answer.read()), dict(answer.headers.items()))


PAIR = "/review/" + pair_id("customer", ("erp", "E2"), ("crm", "C2"))


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with Web() as web:
        folder = write(tmp_path / "hub", f"sqlite:///{tmp_path}/nave.db", web.port, extra="closed: {until: 2026-09-30}")
        customers(folder, "erp", "E1,Alpha Works,T-1,021-1", "E2,Beta,,")
        customers(folder, "crm", "C1,Alpha,T-1,", "C2,Gamma,,010-2")
        orders(folder, "crm", "O1,C1,2026-09-05,")
        run(folder)
        config = load(folder).config
        assert config is not None
        with opened(folder) as hub:
            work = Run(hub, poll=0.05)
            try:
                with opened_doors(work, config, f"127.0.0.1:{free_port()}") as url:
                    yield Door(folder, urlsplit(url or "").port or 0)
            finally:
                work.close()


def test_looking_at_a_pair_gives_what_it_takes_to_decide_about_it(door: Door) -> None:
    looked = door.ask("GET", PAIR)
    mark = looked.headers["etag"]

    blind = door.ask("POST", f"{PAIR}/merge", {"reason": "same"}, Idempotency_Key="k0")
    stale = door.ask("POST", f"{PAIR}/merge", {"reason": "same"}, Idempotency_Key="k1", If_Match='"other"')
    keyless = door.ask("POST", f"{PAIR}/merge", {"reason": "same"}, If_Match=mark)
    merged = door.ask("POST", f"{PAIR}/merge", {"reason": "same"}, Idempotency_Key="k2", If_Match=mark)
    again = door.ask("POST", f"{PAIR}/merge", {"reason": "same"}, Idempotency_Key="k2", If_Match=mark)
    other = door.ask("POST", f"{PAIR}/merge", {"reason": "else"}, Idempotency_Key="k2", If_Match=mark)
    late = door.ask("POST", f"{PAIR}/separate", {"reason": "no"}, Idempotency_Key="k3", If_Match=mark)

    assert (looked.status, looked.data["together"]) == (200, False)
    codes = [(one.status, one.data["code"]) for one in (blind, stale, keyless, other, late)]
    assert codes == [
        (428, "NAVE-E107"),
        (412, "NAVE-E103"),
        (400, "NAVE-E107"),
        (422, "NAVE-E108"),
        (412, "NAVE-E103"),
    ]
    assert (merged.status, again.status, again.data) == (200, 200, merged.data)
    assert frozenset({"erp:E2", "crm:C2"}) in goldens(door.folder)
    log = door.ask("GET", "/actions").data["actions"]
    assert [(one["actor"], one["action"], one["reason"]) for one in log] == [("li.wei", "merge", "same")]


def test_only_people_decide_and_only_those_who_may_look_see_anything(door: Door) -> None:
    mark = door.ask("GET", PAIR, token=None).headers["etag"]
    strangers = [
        door.ask("GET", PAIR, token="x", X_Forwarded_For="192.0.2.1"),
        door.ask("GET", "/actions", token=None, X_Forwarded_For="192.0.2.1"),
        door.ask("POST", f"{PAIR}/merge", {"reason": "x"}, token=None, Idempotency_Key="k", If_Match=mark),
        door.ask("POST", f"{PAIR}/merge", {"reason": "x"}, token="x", Idempotency_Key="k", If_Match=mark),
    ]

    assert [(one.status, one.data["code"]) for one in strangers] == [(401, "NAVE-A002")] * 4
    assert door.ask("GET", PAIR, X_Forwarded_For="192.0.2.1").status == 200


def test_an_unmerge_does_what_its_preview_showed_and_needs_two_for_what_is_closed(door: Door) -> None:
    (golden,) = [one for one in door.ask("GET", alpha()).data["records"] if len(one["keys"]) == 2]
    where = f"entity=customer&id={golden['id']}"
    seen = door.ask("GET", f"/unmerge/preview?{where}&leave=crm:C1")
    body = {"entity": "customer", "id": golden["id"], "leave": [{"system": "crm", "key": "C1"}], "reason": "two"}
    stale = door.ask("POST", "/unmerge", body, Idempotency_Key="k1", If_Match='"0"')
    done = door.ask(
        "POST", "/unmerge", body, Idempotency_Key="k2", If_Match=seen.headers["ETag" if "ETag" in seen.headers else "etag"]
    )

    assert [one["day"] for one in seen.data["impact"]["kept_back"]] == ["2026-09-05"]
    assert (stale.status, done.status) == (412, 200), done.data
    assert set(goldens(door.folder)) >= {frozenset({"erp:E1"}), frozenset({"crm:C1"})}

    action = done.data["action"]
    alone = door.ask("POST", f"/actions/{action}/approve", {}, Idempotency_Key="k3")
    agreed = door.ask("POST", f"/actions/{action}/approve", {}, token="b", Idempotency_Key="k4")
    undone = door.ask("POST", f"/actions/{action}/undo", {}, token="b", Idempotency_Key="k5")

    assert [(one.status, one.data.get("code")) for one in (alone, agreed, undone)] == [
        (403, "NAVE-E105"),
        (200, None),
        (200, None),
    ]
    assert frozenset({"erp:E1", "crm:C1"}) in goldens(door.folder)


def alpha() -> str:
    return "/review/" + pair_id("customer", ("erp", "E1"), ("crm", "C1"))


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/review?entity=nothing", None, 400, "NAVE-E109"),
        ("GET", "/review?entity=customer&limit=0", None, 400, "NAVE-E109"),
        ("GET", "/review?entity=customer&colour=red", None, 400, "NAVE-E109"),
        ("GET", "/review/xyz", None, 404, "NAVE-A007"),
        ("GET", "/review/" + pair_id("customer", ("erp", "E9"), ("crm", "C1")), None, 404, "NAVE-A007"),
        ("GET", "/unmerge/preview?entity=customer&id=0000000000000&leave=crm:C1", None, 404, "NAVE-A007"),
        ("POST", f"{PAIR}/merge", {"reason": ""}, 400, "NAVE-E109"),
        ("POST", f"{PAIR}/merge", {"reason": "x", "also": 1}, 400, "NAVE-E109"),
        ("POST", f"{PAIR}/marry", {"reason": "x"}, 404, "NAVE-A007"),
        ("POST", f"{PAIR}/merge", {"reason": "x" * 70_000}, 413, "NAVE-A003"),
        ("POST", "/actions/0000000000000/undo", {}, 404, "NAVE-E104"),
        ("DELETE", "/review", None, 405, "NAVE-A008"),
    ],
)
def test_what_is_asked_wrongly_is_told_so(door: Door, method: str, path: str, body: Any, status: int, code: str) -> None:
    answer = door.ask(method, path, body, Idempotency_Key="k", If_Match='"x"')

    assert (answer.status, answer.data["code"]) == (status, code)


def test_a_list_is_empty_where_nothing_is_scored(door: Door) -> None:
    assert door.ask("GET", "/review?entity=customer").data == {"pairs": [], "next": None}


def test_answers_are_forgotten_after_a_day(tmp_path: Path) -> None:
    from nave.core.answering import KEPT_SECONDS, answered, remember

    store = open_store(f"sqlite:///{tmp_path}/nave.db")
    with store.write() as tx:
        remember(tx, "li", "k", b"x", "first", 1000.0)
        kept = answered(tx, "li", "k", b"x", 1000.0 + KEPT_SECONDS - 1)
        gone = answered(tx, "li", "k", b"y", 1000.0 + KEPT_SECONDS + 1)
        remember(tx, "li", "k", b"y", "second", 1000.0 + KEPT_SECONDS + 1)
    store.close()

    assert (kept, gone) == ("first", None)

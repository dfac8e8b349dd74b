"""What `status`, `doctor` and the door say of a hub that cannot keep up; and whom the door lets in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from nave.cli.doors import opened_doors
from nave.cli.failures import Stop
from nave.config import HubConfig, load
from nave.core import stops
from nave.core.errors import LoginError
from nave.core.protocols import Batch
from nave.workers.build import build_hub, compile_hub
from nave.workers.flows import Hub
from nave.workers.land import land_batch
from nave.workers.loops import Run
from tests.cli.calls import nave
from tests.servers import free_port

EVENT = {"id": "E1", "name": "event"}


@contextmanager
def opened(folder: Path) -> Iterator[tuple[HubConfig, Hub]]:
    config = load(folder, environ={"TOKEN": "s3cr3t-of-the-crm"}).config
    assert config is not None
    hub = build_hub(config, compile_hub(config), deaf=True)
    try:
        yield config, hub
    finally:
        hub.store.close()


@pytest.fixture
def behind(hub: Path) -> Path:
    """A hub of whose records four wait, and three may."""
    (hub / "hub.yaml").write_text((hub / "hub.yaml").read_text("utf-8") + "\nlimits: {journal: 3}\n", "utf-8")
    with opened(hub) as (_, made):
        records = [{"CODE": str(number), "NAME": "x", "STATUS": "A"} for number in range(4)]
        land_batch(made, made.sources["shop.customers"], Batch(records, [(n, None) for n in range(4)], {}, None))
    return hub


def test_status_tells_what_waits_against_what_may(behind: Path) -> None:
    data, text = nave("status", "--json", hub=behind).data, nave("status", hub=behind).out

    journal = data["journal"]
    assert (journal["records"], journal["limit"], journal["full"]) == (4, 3, True)
    assert 0 < journal["bytes"] < journal["bytes_limit"] == 2**30
    closed = {"sink": "erp.customers_out", "state": "closed", "since": None, "next": None, "error": None}
    assert data["circuits"] == [{**closed, "needs_person": False}]
    assert data["stopped"] == []
    assert "4 of at most 3 records wait to be applied" in text


def test_doctor_warns_of_a_journal_that_is_full(behind: Path) -> None:
    found = {one["check"]: one for one in nave("doctor", "--json", hub=behind).data["findings"]}
    assert found["journal"]["verdict"] == "warn"
    assert "nave run" in found["journal"]["help"]

    (behind / "hub.yaml").write_text("hub: tiny\n", "utf-8")
    found = {one["check"]: one for one in nave("doctor", "--json", hub=behind).data["findings"]}
    assert found["journal"]["verdict"] == "ok"


def asked(url: str, method: str, path: str, **headers: str) -> tuple[int, Any]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    with closing(HTTPConnection("127.0.0.1" if host == "0.0.0.0" else host, int(port), timeout=30)) as connection:
        body = json.dumps(EVENT) if method == "POST" else None
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_the_door_of_a_hub_that_is_behind_says_503_and_its_status_says_why(behind: Path) -> None:
    with opened(behind) as (config, hub):
        run = Run(hub)
        with opened_doors(run, config, f"127.0.0.1:{free_port()}") as url:
            assert url
            seen = asked(url, "POST", "/events/crm.customers")
            status = asked(url, "GET", "/status")
        run.close()

    assert seen[0] == 503
    assert [one["code"] for one in seen[1]["errors"]] == ["NAVE-E031"]
    assert status[0] == 200
    assert status[1]["journal"]["full"]
    assert status[1]["circuits"][0]["state"] == "closed"


def with_token(folder: Path, token: str) -> None:
    path = folder / "systems/crm.yaml"
    text = path.read_text("utf-8")
    assert text.count("from: api,") == 1
    path.write_text(text.replace("from: api,", f"from: api, token: '{token}',"), "utf-8")


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "no-such-host.invalid", "203.0.113.9"])
@pytest.mark.parametrize("token", [None, "${env:NONE:-}"])
def test_the_door_opens_to_other_machines_only_where_every_source_asks_for_a_token(
    hub: Path, host: str, token: str | None
) -> None:
    if token:
        with_token(hub, token)

    with opened(hub) as (config, made), pytest.raises(Stop) as caught, opened_doors(Run(made), config, f"{host}:18999"):
        pass

    assert (caught.value.code, caught.value.status) == ("NAVE-A020", 1)
    assert caught.value.params["sources"] == "crm.customers"


def test_with_a_token_it_listens_everywhere_and_without_one_on_this_machine(hub: Path) -> None:
    with opened(hub) as (config, made):
        for host in ("127.0.0.1", "localhost"):
            run = Run(made)
            with opened_doors(run, config, f"{host}:{free_port()}") as url:
                assert url
                assert asked(url, "GET", "/status")[0] == 200
            run.close()

    with_token(hub, "${env:TOKEN}")
    with opened(hub) as (config, made):
        run = Run(made)
        with opened_doors(run, config, f"0.0.0.0:{free_port()}") as url:
            assert url
            assert asked(url, "POST", "/events/crm.customers")[0] == 401
            shown = asked(url, "POST", "/events/crm.customers", Authorization="Bearer s3cr3t-of-the-crm")
        run.close()
    assert shown[0] == 202


def test_status_says_whose_login_was_refused_until_a_person_lets_it_try_again(hub: Path) -> None:
    with opened(hub) as (_, made), made.store.write() as tx:
        for name in ("erp.customers_out", "erp.customers"):
            stops.stop(tx, name, LoginError("NAVE-S034", name="erp", reason="wrong password"), "mark", made.clock())

    data, english, chinese = (
        nave("status", "--json", hub=hub).data,
        nave("status", hub=hub).out,
        nave("--lang", "zh", "status", hub=hub).out,
    )

    assert [(one["name"], one["code"]) for one in data["stopped"]] == [
        ("erp.customers", "NAVE-S034"),
        ("erp.customers_out", "NAVE-S034"),
    ]
    (circuit,) = data["circuits"]
    assert (circuit["state"], circuit["needs_person"], circuit["error"]) == ("open", True, "NAVE-S034")
    assert "needs a person" in english
    assert "wrong password" in english
    assert "需要人工处理" in chinese

    resumed = nave("sink", "resume", "erp.customers_out", "--as", "li.wei", hub=hub)
    also = nave("source", "resume", "erp.customers", "--json", hub=hub)
    assert (resumed.status, also.data["resumed"]) == (0, True)
    assert nave("source", "resume", "shop.customers", "--json", hub=hub).data["resumed"] is False
    assert nave("sink", "resume", "erp.nothing", hub=hub).status == 2
    with opened(hub) as (_, made), made.store.read() as tx:
        assert [one.until for one in stops.stopped(tx, ["erp.customers_out", "erp.customers"])] == [0.0, 0.0]

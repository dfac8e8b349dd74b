"""Services where making a record and changing one are two calls, and where lists say how many pages they have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from nave.connectors.http import REST, SPEC
from nave.connectors.http.options import HttpOptions, HttpSinkOptions
from nave.connectors.http.pull_options import Paging, PullOptions
from nave.core.errors import ConfigError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from tests.connectors.web import Service, service
from tests.servers import free_port

SETTING = Setting("crm.customers", Path())
UPDATE = {"path": "/customers/{remote_key}", "method": "PATCH", "key": "data.id"}


@pytest.fixture
def crm() -> Iterator[Service]:
    with service(free_port()) as running:
        yield running


def sent(crm: Service, record: Outbound) -> tuple[str, str, Any]:
    """Method, path and body of the one call that a record makes."""
    options = HttpSinkOptions.model_validate({"path": "/customers", "update": UPDATE, "key_path": "data.id"})
    assert SPEC.sink is not None
    with SPEC.sink(HttpOptions(url=crm.url), options, SETTING) as sink:
        (receipt,) = sink.write([record])
    assert receipt.outcome is Outcome.ACCEPTED
    ((method, path, _, body),) = crm.requests
    return method, path, json.loads(body)


def test_a_record_that_the_target_does_not_have_is_made_without_a_key(crm: Service) -> None:
    record = Outbound("1", 1, {"data": {"id": None, "attributes": {"name": "A"}}})

    assert sent(crm, record) == ("POST", "/customers", {"data": {"attributes": {"name": "A"}}})


@pytest.mark.parametrize(
    ("remote_key", "written", "key"),
    [("R1", None, "R1"), (None, "K2", "K2"), ("R1", "K2", "K2")],
    ids=["given by the target", "known to the mapping", "the mapping knows better"],
)
def test_one_that_it_has_is_changed_with_its_key_in_path_and_body(
    crm: Service, remote_key: str | None, written: str | None, key: str
) -> None:
    record = Outbound("1", 2, {"data": {"id": written, "attributes": {"name": "A"}}}, remote_key)

    assert sent(crm, record) == ("PATCH", f"/customers/{key}", {"data": {"id": key, "attributes": {"name": "A"}}})


def probe(crm: Service, answer: Any) -> Receipt | None:
    """What the target is found to have, by a list that it answers."""

    async def behave(request: web.Request, body: bytes) -> web.StreamResponse:
        return web.json_response(answer)

    crm.behaviour = behave
    wanted = {"path": "/customers?filter[mark]={key}", "items": "data", "key_path": "id", "version_path": "version"}
    options = HttpSinkOptions.model_validate({"path": "/customers", "key_path": "data.id", "probe": wanted})
    assert SPEC.probe is not None
    with SPEC.probe(HttpOptions(url=crm.url), options, SETTING) as ask:
        return ask(Outbound("1", 2, {}))


def test_a_search_that_finds_the_version_settles_what_became_of_it(crm: Service) -> None:
    assert probe(crm, {"data": [{"id": "R1", "version": "2"}]}) == Receipt(Outcome.DUPLICATE, "R1")


@pytest.mark.parametrize("data", [[], [{"id": "R1", "version": 1}]], ids=["nobody", "an older one"])
def test_a_search_that_finds_nothing_or_less_says_no(crm: Service, data: list[Any]) -> None:
    assert probe(crm, {"data": data}) is None


@pytest.mark.parametrize("answer", [{}, {"data": {}}, {"data": [{"id": "R1"}]}])
def test_a_search_whose_answer_makes_no_sense_decides_nothing(crm: Service, answer: Any) -> None:
    with pytest.raises(ConfigError):
        probe(crm, answer)


def test_pages_end_where_the_list_says_so_though_the_last_comes_for_ever(crm: Service) -> None:
    async def behave(request: web.Request, body: bytes) -> web.StreamResponse:
        number = min(int(request.query["page[number]"]), 3)
        return web.json_response({"meta": {"total-pages": 3}, "data": [{"id": f"{number}"}]})

    crm.behaviour = behave
    page = {"by": "number", "param": "page[number]", "pages": "meta.total-pages"}
    options = PullOptions.model_validate({"get": "/customers", "items": "data", "page": page})
    assert REST.source is not None

    with REST.source(HttpOptions(url=crm.url), options, SETTING) as source:
        found = [record["id"] for batch in source.read(None) for record in batch.records]

    assert found == ["1", "2", "3"]


def test_a_count_of_pages_goes_with_numbers_only() -> None:
    with pytest.raises(ValidationError, match="by: number"):
        Paging.model_validate({"by": "offset", "param": "offset", "pages": "meta.pages"})


@pytest.mark.parametrize(("status", "bad"), [(200, False), (401, True), (403, True), (404, True)])
def test_a_path_to_check_the_login_with_must_be_answered_well(crm: Service, status: int, bad: bool) -> None:
    async def behave(request: web.Request, body: bytes) -> web.StreamResponse:
        return web.Response(status=status if request.path == "/me" else 500)

    crm.behaviour = behave
    assert SPEC.check is not None

    if bad:
        with pytest.raises(ConfigError):
            SPEC.check(HttpOptions(url=crm.url, check="/me"), SETTING)
    else:
        SPEC.check(HttpOptions(url=crm.url, check="/me"), SETTING)
    assert len(crm.requests) == 1

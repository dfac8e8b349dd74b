"""Lists that the hub asks for: every kind of paging, lists that move while they are read, and services that misbehave."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from nave.connectors.contracts import OpenSource, SourceCase, SourceContract, land
from nave.connectors.http import REST
from nave.connectors.http.marks import Position, back
from nave.connectors.http.options import HttpOptions
from nave.connectors.http.pull_options import PullOptions
from nave.core.errors import ConfigError, NaveError, RetryableError
from nave.core.protocols import Raw, Setting, Source
from tests.conftest import missing
from tests.connectors.web import Service, service
from tests.servers import free_port
from tests.servers.php_lists import PhpList, php_list

SETTING = Setting("crm.customers", Path())
OFFSET = {"by": "offset", "param": "offset", "size_param": "limit", "size": 3}
WAYS: dict[str, dict[str, Any]] = {
    "header": {"get": "/linked", "params": {"limit": "3"}, "page": {"by": "link"}},
    "link": {
        "get": "/links",
        "items": "data.records",
        "page": {"by": "link", "path": "links.next", "size_param": "limit", "size": 3},
    },
    "cursor": {
        "get": "/cursors",
        "items": "data",
        "page": {"by": "cursor", "path": "next", "param": "cursor", "size_param": "limit", "size": 3},
    },
    "number": {"get": "/numbers", "page": {"by": "number", "param": "page", "size_param": "limit", "size": 3}},
    "offset": {"get": "/offsets", "key": "id", "page": OFFSET},
}
SINCE = {"since": {"param": "since", "field": "changed", "overlap": "1m"}}


def row(number: int, minute: int | None = None) -> Raw:
    minute = number if minute is None else minute
    return {"id": f"c{number:02}", "name": f"名 {number}", "changed": f"2024-05-01T10:{minute:02}:00Z"}


ROWS = [row(number) for number in range(10)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpList]:
    php = shutil.which("php")
    if php is None:
        missing("PHP")
    else:
        with php_list(php, Path(__file__).parent / "lists.php", tmp_path_factory.mktemp("list")) as running:
            yield running


@pytest.fixture
def ugly() -> Iterator[Service]:
    with service(free_port()) as running:
        yield running


def source(url: str, options: dict[str, Any]) -> Source:
    assert REST.source is not None
    return REST.source(HttpOptions(url=url), PullOptions.model_validate({"get": "/list", **options}), SETTING)


def opening(url: str, options: dict[str, Any]) -> OpenSource:
    return lambda: source(url, options)


def read(url: str, options: dict[str, Any], after: str | None = None) -> tuple[list[Raw], str | None]:
    return land(opening(url, options), after)


@pytest.mark.parametrize("since", [False, True], ids=["all", "since"])
@pytest.mark.parametrize("way", WAYS)
class TestSource(SourceContract):
    @pytest.fixture
    def case(self, server: PhpList, way: str, since: bool) -> SourceCase:
        options = {**WAYS[way], **(SINCE if since else {})}

        def world() -> OpenSource:
            server.put(ROWS)
            return opening(server.url, options)

        return SourceCase(world, ROWS, repeats=len(ROWS))


def test_only_what_changed_is_asked_for_with_an_overlap(server: PhpList) -> None:
    server.put(ROWS)
    options = {**WAYS["cursor"], **SINCE}
    _, position = read(server.url, options)
    server.put([*ROWS, row(3, 30), row(20, 31)])

    changed, position = read(server.url, options, position)
    again, _ = read(server.url, options, position)

    assert changed == [row(8), row(9), row(3, 30), row(20, 31)]
    assert again == [row(3, 30), row(20, 31)]
    assert "since=2024-05-01T10%3A08%3A00Z" in server.calls()[0]


def test_a_service_that_gives_fewer_than_asked_for_is_read_to_its_end(server: PhpList) -> None:
    for most in (1, 2):
        server.put(ROWS, most=most)

        records, _ = read(server.url, WAYS["offset"])

        assert records == ROWS


@pytest.mark.parametrize("gone", [["c00"], ["c00", "c01"], ["c02"], ["c00", "c01", "c02"], ["c01", "c02", "c05"]])
@pytest.mark.parametrize("calls", [1, 2, 3])
def test_nothing_is_missed_when_records_go_away_while_the_list_is_read(server: PhpList, calls: int, gone: list[str]) -> None:
    server.put(ROWS, moves={calls: dict.fromkeys(gone)})

    records, _ = read(server.url, WAYS["offset"])

    stayed = [one for one in ROWS if one["id"] not in gone]
    assert [one for one in records if one["id"] not in gone] == stayed


def test_a_record_that_changes_while_the_list_is_read_comes_in_its_new_state_and_hides_no_other(server: PhpList) -> None:
    server.put(ROWS, moves={"1": {"c01": row(1, 40)}, "3": {"c00": row(0, 41)}})

    records, _ = read(server.url, WAYS["offset"])

    assert [one for one in records if one in ROWS] == ROWS
    assert records[-2:] == [row(1, 40), row(0, 41)]


def test_a_list_that_is_emptied_while_it_is_read_ends(server: PhpList) -> None:
    server.put(ROWS, moves={"2": {one["id"]: None for one in ROWS}})

    records, _ = read(server.url, WAYS["offset"])

    assert records == ROWS[: len(records)]


def test_a_list_of_one_page_that_is_still_the_same_is_not_landed_again(server: PhpList) -> None:
    options = {"get": "/whole"}
    server.put(ROWS)
    first, position = read(server.url, options)

    same, position = read(server.url, options, position)
    server.put(ROWS[1:])
    other, _ = read(server.url, options, position)

    assert (first, same, other) == (ROWS, [], ROWS[1:])


def answers(*given: tuple[int, Any, dict[str, str]]) -> Callable[[web.Request, bytes], Any]:
    """One answer after the other, and the last for ever."""
    left = list(given)

    async def behave(request: web.Request, body: bytes) -> web.StreamResponse:
        status, said, headers = left.pop(0) if len(left) > 1 else left[0]
        content = said if isinstance(said, bytes) else json.dumps(said).encode()
        return web.Response(status=status, body=content, headers=headers)

    return behave


LINKS: dict[str, Any] = {"items": "rows", "page": {"by": "link", "path": "next"}}


@pytest.mark.parametrize(
    ("given", "options", "kind", "code"),
    [
        ((503, [], {"Retry-After": "7"}), {}, RetryableError, "NAVE-K247"),
        ((429, [], {"Retry-After": "7"}), {}, RetryableError, "NAVE-K247"),
        ((404, [], {}), {}, ConfigError, "NAVE-K247"),
        ((302, [], {"Location": "/elsewhere"}), {}, ConfigError, "NAVE-K247"),
        ((304, [], {}), {}, ConfigError, "NAVE-K247"),
        ((200, b"<html>", {}), {}, RetryableError, "NAVE-K248"),
        ((200, b'[{"id":1}', {}), {}, RetryableError, "NAVE-K248"),
        ((200, {"rows": None}, {}), {"items": "rows"}, ConfigError, "NAVE-K249"),
        ((200, {}, {}), {}, ConfigError, "NAVE-K249"),
        ((200, {"rows": [{}], "next": "/list?p=2"}, {}), LINKS, ConfigError, "NAVE-K250"),
        ((200, [{"id": 1}], {}), {"page": {"by": "number", "param": "p"}, "max_pages": 5}, ConfigError, "NAVE-K250"),
        ((200, [{"id": "x" * 2000}], {}), {"max_answer": "1KB"}, ConfigError, "NAVE-K251"),
        ((200, {"rows": [], "next": "http://169.254.169.254/list"}, {}), LINKS, ConfigError, "NAVE-K252"),
        ((200, {"rows": [], "next": "//evil.example/list"}, {}), LINKS, ConfigError, "NAVE-K252"),
        ((200, {"rows": [], "next": "file:///etc/passwd"}, {}), LINKS, ConfigError, "NAVE-K252"),
        ((200, {"rows": [], "next": "http://[::1/list"}, {}), LINKS, ConfigError, "NAVE-K252"),
    ],
)
def test_what_a_service_may_not_answer(
    ugly: Service, given: tuple[int, Any, dict[str, str]], options: dict[str, Any], kind: type[NaveError], code: str
) -> None:
    ugly.behaviour = answers(given)

    with pytest.raises(kind) as caught:
        read(ugly.url, options)

    assert caught.value.code == code
    assert getattr(caught.value, "after", None) == (7 if "Retry-After" in given[2] else None)
    assert "{" not in caught.value.text("zh")
    assert len(ugly.requests) <= 6


def test_a_link_cannot_leave_through_the_name_of_a_user(ugly: Service) -> None:
    elsewhere = ugly.url.replace("http://", "http://crm.example@")
    ugly.behaviour = answers((200, {"rows": [], "next": f"{elsewhere}/list"}, {}))

    with pytest.raises(ConfigError) as caught:
        read(ugly.url, LINKS)

    assert caught.value.code == "NAVE-K252"


def test_nobody_there_is_tried_again() -> None:
    with pytest.raises(RetryableError):
        read(f"http://127.0.0.1:{free_port()}", {})


def test_a_read_that_breaks_off_moves_nothing(ugly: Service) -> None:
    page = {"rows": [{"id": "1", "at": "2024-01-01T00:00:00Z"}], "next": "/list?p=2"}
    ugly.behaviour = answers((200, page, {}), (200, {**page, "next": "/list?p=3"}, {}), (500, {}, {}))
    positions: list[str | None] = []
    options = {**LINKS, "since": {"param": "since", "field": "at"}}

    with source(ugly.url, options) as opened:
        batches = opened.read(None)
        with pytest.raises(RetryableError):
            positions.extend(batch.position for batch in batches)

    assert positions == [None]


def test_an_element_that_is_no_record_stands_aside(ugly: Service) -> None:
    ugly.behaviour = answers((200, [{"id": "1"}, "x", None, {"id": "2"}], {}))

    with source(ugly.url, {}) as opened:
        (batch,) = opened.read(None)

    assert batch.records == [{"id": "1"}, {"id": "2"}]
    assert [one.place for one in batch.refused] == [(2, None), (3, None)]


def test_a_record_from_the_far_future_does_not_stop_the_hub_from_asking(ugly: Service) -> None:
    rows = [{"at": "9999-12-31T00:00:00Z"}, {"at": "2024-01-02"}, {"at": "soon"}, {"at": None}, {}, {"at": "2024-01-01"}]
    ugly.behaviour = answers((200, rows, {}))

    _, position = read(ugly.url, {"since": {"param": "s", "field": "at"}})

    assert Position.parse(position).at == "2024-01-02"


@pytest.mark.parametrize(
    ("mark", "overlap", "asked"),
    [
        (1000, 5, "995"),
        ("2024-03-01", timedelta(days=1), "2024-02-29"),
        ("2024-03-01T00:00:05.987Z", timedelta(seconds=5), "2024-03-01T00:00:00Z"),
        ("2024-03-01 00:00:05", timedelta(seconds=10), "2024-02-29 23:59:55"),
        ("2024-03-01T08:00:00+08:00", timedelta(minutes=1), "2024-03-01T07:59:00+08:00"),
    ],
)
def test_the_question_begins_before_the_last_change_in_the_services_own_form(
    mark: str | int, overlap: timedelta | int, asked: str
) -> None:
    assert back(mark, overlap) == asked


@pytest.mark.parametrize(("mark", "overlap"), [(1000, timedelta(1)), ("2024-03-01", 5), ("0001-01-01", timedelta(9))])
def test_marks_and_overlaps_of_different_kinds_are_refused(mark: str | int, overlap: timedelta | int) -> None:
    with pytest.raises(ConfigError):
        back(mark, overlap)


@pytest.mark.parametrize(
    "options",
    [
        {"get": "customers"},
        {"get": "//evil.example"},
        {"get": "/x?a=1"},
        {"get": "/x/{key}"},
        {"page": OFFSET},
        {"page": {"by": "cursor", "param": "c"}},
        {"page": {"by": "number"}},
        {"page": {"by": "link", "param": "p"}},
        {"params": {"since": "1"}, **SINCE},
        {"params": {"a b": "1"}},
    ],
)
def test_lists_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        PullOptions.model_validate({"get": "/x", **options})

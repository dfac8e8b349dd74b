"""Wrong credentials, for every connector: one try, however much there is to send, and an error that stops the flow.

What stops it, across processes and restarts, and who is told, is the hub's (`tests/workers/test_stopping.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from aiohttp import web

from nave.connectors.sql import waits
from nave.core.errors import LoginError, NaveError
from nave.core.protocols import ConnectorSpec, Outbound, Setting
from tests.connectors.web import Service, service
from tests.servers import free_port

SECRET = "canary-5ecret"
_NC = '<ufinterface billtype="F0" sender="X"><bill><billhead><def1>{}</def1></billhead></bill></ufinterface>'
_U8 = '<ufinterface sender="1" receiver="u8" roottag="customer" docid="x" proc="add"><customer>{}</customer></ufinterface>'
_K3 = {"form": "BD_Customer", "id": "FCUSTID"}
_CLOUD = {"id": "hub", "secret": SECRET}
_USER = {"user": "hub", "password": SECRET}


@dataclass(frozen=True)
class Case:
    """A way in or out with credentials that nobody takes."""

    connection: Mapping[str, Any]
    options: Mapping[str, Any]
    record: Callable[[str], Mapping[str, Any]] | None = None
    """What a sink is given for a key; a source has none."""
    status: int = 401
    said: Mapping[str, Any] = field(default_factory=dict)


def _plain(key: str) -> Mapping[str, Any]:
    return {"code": key}


def _bill(key: str) -> Mapping[str, Any]:
    return {"document": _NC.format(key)}


def _document(key: str) -> Mapping[str, Any]:
    return {"document": _U8.format(key)}


def _saved(key: str) -> Mapping[str, Any]:
    return {"formid": "BD_Customer", "data": {"Model": {"FNumber": key}}}


def _noted(key: str) -> Mapping[str, Any]:
    return {"external_userid": key, "remark": key}


_NOT_IN = {"LoginResultType": 0, "Message": f"密码错误 {SECRET}"}
CASES: Mapping[str, Case] = {
    "http": Case(_USER, {"path": "/customers"}, _plain),
    "http forbids": Case(_USER, {"path": "/customers"}, _plain, 403),
    "rest": Case({"token": SECRET}, {"get": "/customers"}),
    "nc": Case({**_USER, "account": "A"}, {"prefix": "X"}, _bill),
    "u8": Case(_USER, {}, _document),
    "k3cloud": Case({"acct": "A", **_USER}, _K3, _saved, 200, _NOT_IN),
    "k3cloud reads": Case({"acct": "A", **_USER}, {**_K3, "fields": ["FNumber"]}, None, 200, _NOT_IN),
    "dingtalk-attendance": Case(_CLOUD, {"users": ["u"], "start": "2026-01-01"}, None, 200, {"errcode": 40089}),
    "wecom-checkin": Case(_CLOUD, {"users": ["u"], "start": "2026-01-01"}, None, 200, {"errcode": 40001}),
    "wecom-contacts": Case(_CLOUD, {"users": ["u"]}, None, 200, {"errcode": 40001}),
    "wecom-contacts writes": Case(_CLOUD, {}, _noted, 200, {"errcode": 40001}),
}
"""Connector, and what else there is to say of the case, against a web service that says the same to everybody."""
ELSEWHERE = {
    "soap": ("test_soap", "test_the_username_token_opens_the_service_and_a_wrong_one_is_tried_once"),
    "ncc": ("test_ncc", "test_an_application_that_is_not_known_is_tried_once_and_its_secret_not_told"),
    "tryton": ("test_tryton", "test_a_wrong_login_is_shown_once"),
    "amqp": ("test_amqp_source", "test_a_login_that_is_refused_is_tried_once_only"),
    "mail": ("test_mail_faults", "test_a_refused_login_is_tried_once_and_again_when_a_person_says_so_or_it_is_another"),
    **dict.fromkeys(
        ("sftp", "ftp", "smb"),
        (
            "test_files_servers_logins",
            "test_a_login_that_was_refused_is_not_tried_again_until_it_changed_or_a_person_asks",
        ),
    ),
}
"""Against a real server, or with more to it: module and test."""
HERE = {"sql"}
NO_LOGIN = {"files", "ncfiles", "zkteco", "lines", "epcis", "beside", "memory", "faulty"}
"""Others log in to the hub, or nobody does."""


def test_every_connector_is_tried() -> None:
    listed = {entry.name for entry in entry_points(group="nave.connectors")}

    assert listed == {name.partition(" ")[0] for name in CASES} | ELSEWHERE.keys() | HERE | NO_LOGIN
    for module, test in ELSEWHERE.values():
        assert inspect.isfunction(getattr(import_module(f"tests.connectors.{module}"), test))


@pytest.fixture
def unfriendly() -> Iterator[Service]:
    with service(free_port()) as made:
        yield made


@pytest.mark.parametrize("name", CASES)
def test_wrong_credentials_are_shown_once_and_stop_the_flow(unfriendly: Service, tmp_path: Path, name: str) -> None:
    case = CASES[name]

    async def say(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.json_response(dict(case.said), status=case.status)

    unfriendly.behaviour = say
    (entry,) = entry_points(group="nave.connectors", name=name.partition(" ")[0])

    found = knocked(entry.load(), case, {"url": unfriendly.url}, Setting("x.customers", tmp_path, ZoneInfo("Asia/Shanghai")))

    assert isinstance(found, LoginError)
    assert len(unfriendly.requests) == 1
    assert SECRET not in f"{found.text('en')}{found.text('zh')}{found!r}{found.params}"


def knocked(spec: ConnectorSpec, case: Case, there: Mapping[str, Any], setting: Setting) -> NaveError | None:
    """What comes of twenty records, or of a read."""
    connection = spec.options.model_validate({**there, **case.connection})
    try:
        if case.record is None:
            assert spec.source is not None
            assert spec.source_options is not None
            with spec.source(connection, spec.source_options.model_validate(case.options), setting) as source:
                list(source.read(None))
            return None
        assert spec.sink is not None
        assert spec.sink_options is not None
        records = [Outbound(f"k{number}", 1, dict(case.record(f"k{number}"))) for number in range(20)]
        with spec.sink(connection, spec.sink_options.model_validate(case.options), setting) as sink:
            return sink.write(records)[0].error
    except NaveError as error:
        return error


@pytest.mark.service
@pytest.mark.timeout(900)
@pytest.mark.parametrize("server", ["postgres_url", "mariadb_url"])
@pytest.mark.parametrize("way", ["source", "sink"])
def test_a_database_is_asked_once(
    server: str, way: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = sa.make_url(request.getfixturevalue(server))
    url = right.set(username="nobody", password=SECRET).render_as_string(hide_password=False)
    (entry,) = entry_points(group="nave.connectors", name="sql")
    options = {"table": "customers", "key": "code"}
    case = Case({}, options, _plain) if way == "sink" else Case({}, {"table": "customers"})
    tries: list[str] = []
    monkeypatch.setattr(waits, "_CONNECT", {name: counted(one, name, tries) for name, one in waits._CONNECT.items()})

    found = knocked(entry.load(), case, {"url": url}, Setting("x.customers", tmp_path))

    assert isinstance(found, LoginError)
    assert len(tries) == 1
    assert SECRET not in f"{found.text('en')}{found.text('zh')}{found!r}{found.params}"


def counted(connect: Any, name: str, tries: list[str]) -> Any:
    """The same, and each time is noted."""

    def connecting(*told: Any) -> Any:
        tries.append(name)
        return connect(*told)

    return connecting

"""DingTalk and WeCom as sources, against stand-ins: windows, pages of people, tokens that end, codes, wrong answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pycurl
import pytest

from nave.connectors.contracts import ErrorsCase, ErrorsContract, OpenSource, SourceCase, SourceContract, land
from nave.connectors.exchange import translating
from nave.connectors.hr import DINGTALK, WECOM
from nave.connectors.hr.errors import unreached
from nave.connectors.hr.options import CloudOptions, CloudSourceOptions
from nave.connectors.hr.services import DINGTALK as DINGTALK_SERVICE
from nave.connectors.hr.services import WECOM as WECOM_SERVICE
from nave.connectors.hr.source import CloudSource, Position
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.core.protocols import ConnectorSpec, Raw, Setting
from tests.peers import dingtalk as ding
from tests.peers import wecom as wx
from tests.peers.cloud_clocks import Cloud
from tests.servers import free_port

SETTING = Setting("cloud.punches", Path(), ZoneInfo("Asia/Shanghai"))
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
START = date(2026, 10, 25)
SPECS = {"DingTalk": DINGTALK, "WeCom": WECOM}
SERVICES = {"DingTalk": DINGTALK_SERVICE, "WeCom": WECOM_SERVICE}


@dataclass
class World:
    """A service, and how a punch looks there."""

    cloud: Cloud
    name: str
    punch: Callable[[int, str, datetime], Raw]

    @property
    def spec(self) -> ConnectorSpec:
        return SPECS[self.name]

    def source(self, users: list[str], now: datetime = NOW, **options: Any) -> CloudSource:
        """A source; it looks at the clock of the test."""
        secret = options.pop("secret", self.cloud.secret)
        connection = CloudOptions(url=self.cloud.url, id=self.cloud.id, secret=secret)
        given = {"users": users, "start": START, **options}
        read = CloudSourceOptions(**given)
        return CloudSource(SERVICES[self.name], connection, read, SETTING, now=lambda: now)

    def opener(self, users: list[str], now: datetime = NOW, **options: Any) -> OpenSource:
        return lambda: self.source(users, now, **options)


def _of_wecom(number: int, user: str, at: datetime) -> Raw:
    return wx.punch(user, at, notes=str(number))


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Cloud]]:
    with ding.dingtalk(free_port()) as first, wx.wecom(free_port()) as second:
        yield {"DingTalk": first, "WeCom": second}


@pytest.fixture(params=["DingTalk", "WeCom"])
def world(request: pytest.FixtureRequest, servers: dict[str, Cloud]) -> World:
    cloud = servers[request.param]
    cloud.punches, cloud.questions, cloud.faults = [], [], []
    cloud.tokens, cloud.ends_after = 0, None
    return World(cloud, request.param, {"DingTalk": ding.punch, "WeCom": _of_wecom}[request.param])


def fill(world: World, users: list[str], days: int) -> list[Raw]:
    """One punch a day of each."""
    moments = [NOW - timedelta(days=days - number, hours=3) for number in range(days)]
    listed = [
        world.punch(place * 1000 + number, user, at) for place, user in enumerate(users) for number, at in enumerate(moments)
    ]
    world.cloud.punches = listed
    return listed


def in_order(world: World, users: list[str], records: list[Raw]) -> list[Raw]:
    """As a first read gives them: by window, then by page, then as the service lists them."""
    with world.source(users) as source:
        found = [record for batch in source.read(None) for record in batch.records]
    assert sorted(map(repr, found)) == sorted(map(repr, records))
    return found


class TestContract(SourceContract):
    @pytest.fixture
    def case(self, world: World) -> SourceCase:
        """Three pages of people, and several windows at DingTalk; a window is read again from its begin."""
        users = [f"u{number}" for number in range({"DingTalk": 110, "WeCom": 210}[world.name])]
        records = fill(world, users, 2)
        extra = [world.punch(900_000 + number, "u1", NOW - timedelta(days=20, minutes=number)) for number in range(3)]
        world.cloud.punches = [*records, *extra]
        expected = in_order(world, users, world.cloud.punches)
        return SourceCase(lambda: world.opener(users), expected, repeats=len(expected))


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        return ErrorsCase(
            lambda: translating("https://dingtalk", partial(unreached, "DingTalk")),
            [pycurl.error(), *(pycurl.error(n, "x") for n in range(1, 100))],
        )


def test_everybody_is_asked_for_in_pages_and_windows_that_the_service_takes(world: World) -> None:
    users = [f"u{number}" for number in range(120)]
    records = fill(world, users, 25)

    landed, position = land(world.opener(users), None)

    assert sorted(map(repr, landed)) == sorted(map(repr, records))
    assert Position.parse(position) == Position(int(NOW.timestamp()), int(NOW.timestamp()))
    assert world.cloud.tokens == 1
    assert len(world.cloud.questions) == {"DingTalk": 5 * 3, "WeCom": 1 * 2}[world.name]


def test_a_token_that_ends_in_the_middle_is_renewed_and_nothing_is_missed(world: World) -> None:
    users = [f"u{number}" for number in range(250)]
    records = fill(world, users, 3)
    world.cloud.ends_after = 1

    landed, _ = land(world.opener(users), None)

    assert sorted(map(repr, landed)) == sorted(map(repr, records))
    assert world.cloud.tokens > 2


def test_a_token_that_is_never_good_is_not_fetched_for_ever(world: World) -> None:
    fill(world, ["u1"], 1)
    world.cloud.ends_after = 0

    with world.source(["u1"]) as source, pytest.raises(RetryableError) as caught:
        list(source.read(None))

    assert caught.value.code == "NAVE-K365"
    assert world.cloud.tokens == 2


def test_later_only_the_overlap_is_asked_for_and_once_a_day_further_back(world: World) -> None:
    fill(world, ["u1"], 3)
    _, first = land(world.opener(["u1"]), None)
    world.cloud.questions.clear()

    _, second = land(world.opener(["u1"], NOW + timedelta(hours=2)), first)
    _, third = land(world.opener(["u1"], NOW + timedelta(days=1)), second)

    begins = [_begin(world, question) for question in world.cloud.questions]
    assert begins == [NOW - timedelta(hours=1), NOW + timedelta(hours=2) - timedelta(days=3)]
    assert Position.parse(third) == Position(*[int((NOW + timedelta(days=1)).timestamp())] * 2)


def _begin(world: World, question: dict[str, Any]) -> datetime:
    if world.name == "WeCom":
        return datetime.fromtimestamp(question["starttime"], UTC)
    return datetime.fromisoformat(question["checkDateFrom"]).replace(tzinfo=ding.BEIJING).astimezone(UTC)


def test_a_punch_in_the_last_part_of_a_windows_last_second_is_found(world: World) -> None:
    edge = datetime(2026, 10, 25, tzinfo=SETTING.time_zone) + SERVICES[world.name].span - timedelta(seconds=0.5)
    world.cloud.punches = [world.punch(1, "u1", edge)]

    landed, _ = land(world.opener(["u1"], edge + timedelta(days=9)), None)

    assert world.cloud.punches[0] in landed


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ({"errcode": -1, "errmsg": "system busy"}, RetryableError, "NAVE-K365"),
        ({"errcode": 45009, "errmsg": "api freq out of limit"}, RetryableError, "NAVE-K365"),
        (503, RetryableError, "NAVE-K365"),
        (429, RetryableError, "NAVE-K365"),
        ({"errcode": 60020, "errmsg": "not allow to access from your ip"}, ConfigError, "NAVE-K366"),
        ({"errcode": 99999, "errmsg": "x" * 9000}, ConfigError, "NAVE-K367"),
        (404, ConfigError, "NAVE-K367"),
        (302, ConfigError, "NAVE-K367"),
        (b"<html>login</html>", RetryableError, "NAVE-K368"),
        (b'{"errcode": 0, "record', RetryableError, "NAVE-K368"),
        (b"[]", RetryableError, "NAVE-K368"),
        ({"errcode": 0, "recordresult": {"a": 1}, "checkindata": "x"}, RetryableError, "NAVE-K368"),
        (b" " * 200_000, ConfigError, "NAVE-K368"),
    ],
)
def test_what_the_service_says_becomes_what_to_do_next(world: World, fault: Any, kind: type[NaveError], code: str) -> None:
    world.cloud.faults = [fault]

    with world.source(["u1"], max_answer="100KB") as source, pytest.raises(NaveError) as caught:
        list(source.read(None))

    assert (type(caught.value), caught.value.code) == (kind, code)
    assert all(len(caught.value.text(language)) < 500 for language in ("en", "zh"))
    records = fill(world, ["u1"], 1)
    assert land(world.opener(["u1"]), None)[0] == records


def test_the_gateways_wrapping_is_looked_into(world: World) -> None:
    world.cloud.faults = [{"errcode": 88, "sub_code": "90018", "sub_msg": "qps", "errmsg": "ding talk error"}]

    with world.source(["u1"]) as source, pytest.raises(NaveError) as caught:
        list(source.read(None))

    assert caught.value.code == {"DingTalk": "NAVE-K365", "WeCom": "NAVE-K367"}[world.name]


def test_a_wrong_secret_is_tried_once_and_shown_nowhere(world: World) -> None:
    with world.source(["u1"], secret="wr0ng-secret") as source, pytest.raises(LoginError) as caught:
        list(source.read(None))

    assert caught.value.code == "NAVE-K366"
    assert "wr0ng" not in caught.value.text() + repr(caught.value.params) + repr(source.__dict__)


def test_a_record_that_is_none_is_refused_alone(world: World) -> None:
    good = world.punch(1, "u1", NOW - timedelta(hours=2))
    world.cloud.faults = [{"errcode": 0, "recordresult": [good, "x"], "checkindata": [good, "x"]}]

    with world.source(["u1"]) as source:
        batch = next(iter(source.read(None)))

    assert (list(batch.records), len(batch.refused)) == ([good], 1)


def test_people_are_read_from_a_file_each_time(world: World, tmp_path: Path) -> None:
    file = tmp_path / "users.txt"
    file.write_text("\ufeff# who\nu1\n\nu2\nu1\n", "utf-8")
    records = fill(world, ["u1", "u2", "u3"], 1)

    landed, _ = land(world.opener([], users_file=file), None)

    assert sorted(map(repr, landed)) == sorted(map(repr, records[:2]))
    file.write_text("# nobody\n")
    with world.source([], users_file=file) as source, pytest.raises(ConfigError):
        list(source.read(None))


def test_check_fetches_a_token_and_asks_nothing(world: World) -> None:
    connection = world.spec.options(url=world.cloud.url, id=world.cloud.id, secret=world.cloud.secret)
    assert world.spec.check is not None

    world.spec.check(connection, SETTING)

    assert (world.cloud.tokens, world.cloud.questions) == (1, [])
    with pytest.raises(LoginError):
        world.spec.check(world.spec.options(url=world.cloud.url, id="other", secret="x"), SETTING)
    with pytest.raises(RetryableError):
        world.spec.check(world.spec.options(url=f"http://127.0.0.1:{free_port()}", id="other", secret="x"), SETTING)


@pytest.mark.parametrize("text", ["x", "{}", "[]", '{"until": "a", "deep": 1}'])
def test_a_position_that_is_none_is_said(world: World, text: str) -> None:
    with world.source(["u1"]) as source, pytest.raises(ConfigError):
        list(source.read(text))

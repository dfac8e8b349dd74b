"""The two services as tables: paths, sizes, and what their result codes mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any


class Meaning(Enum):
    """What a result code asks for."""

    ENDED = "ended"
    """Fetch a new token, ask again."""
    BUSY = "busy"
    """Ask again later."""
    STRANGER = "stranger"
    """The credentials are wrong: a person looks before there is another try."""
    FORBIDDEN = "forbidden"
    """A right is missing, or the address is not trusted."""


Ask = Callable[[Sequence[str], datetime, datetime], Mapping[str, Any]]
"""The question for some people from a moment to another, both included."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service as its documentation says."""

    name: str
    token_path: str
    token_params: tuple[str, str]
    """What id and secret are called."""
    path: str
    items: str
    people: int
    """Users of one call, at most."""
    span: timedelta
    """The longest time of one call."""
    ask: Ask
    codes: Mapping[str, Meaning]


def _dingtalk(users: Sequence[str], begin: datetime, end: datetime) -> Mapping[str, Any]:
    return {"userIds": list(users), "checkDateFrom": _text(begin), "checkDateTo": _text(end), "isI18n": "false"}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _wecom(users: Sequence[str], begin: datetime, end: datetime) -> Mapping[str, Any]:
    """Type 3 is all there is: at the office, and away from it."""
    whole = {"starttime": int(begin.timestamp()), "endtime": int(end.timestamp())}
    return {"opencheckindatatype": 3, **whole, "useridlist": list(users)}


def _codes(**listed: str) -> dict[str, Meaning]:
    return {code: Meaning[name] for name, codes in listed.items() for code in codes.split()}


DINGTALK = Service(
    name="DingTalk",
    token_path="/gettoken",  # noqa: S106  (a path)
    token_params=("appkey", "appsecret"),
    path="/attendance/listRecord",
    items="recordresult",
    people=50,
    span=timedelta(days=7),
    ask=_dingtalk,
    codes=_codes(
        ENDED="40014 42001 40001",
        BUSY="-1 90002 90003 90006 90018 90019 45009",
        STRANGER="40013 40078 40089 40096",
        FORBIDDEN="60011 60020 50002 50004",
    ),
)
"""Error 88 is only the gateway's wrapping: what counts is its `sub_code`."""
WECOM = Service(
    name="WeCom",
    token_path="/cgi-bin/gettoken",  # noqa: S106  (a path)
    token_params=("corpid", "corpsecret"),
    path="/cgi-bin/checkin/getcheckindata",
    items="checkindata",
    people=100,
    span=timedelta(days=30),
    ask=_wecom,
    codes=_codes(
        ENDED="40014 42001 41001",
        BUSY="-1 45009 45033 45011",
        STRANGER="40001 40013 40091",
        FORBIDDEN="60011 60020 48002 48004 301002 301021",
    ),
)

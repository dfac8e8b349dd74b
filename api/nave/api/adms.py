"""The door for ZKTeco clocks (push protocol, "ADMS"): /iclock/cdata and its neighbours, answered to the letter.

A clock believes nothing but an exact `OK`: whatever else it hears, it sends the same block again. So OK is said only after
the commit, and repeated blocks are normal; the mapping's key makes them one. A clock is known by its serial number alone,
which is no secret: the list of serial numbers, networks and a communication key are all that the protocol has to offer.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network, ip_address
from zoneinfo import ZoneInfo

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from nave.api import admslines as read
from nave.api import admssaid as said
from nave.api.admsstamps import Stamps
from nave.api.bounds import Budget, Pace, body_of
from nave.api.door import Admit, Land
from nave.api.problems import Problem, translated
from nave.core.errors import NaveError, RetryableError
from nave.core.protocols import Raw

_LOG = logging.getLogger("nave.api")
_PATH = re.compile(r"(?:iclock/)*(cdata|getrequest|devicecmd|ping|registry|push)(?:\.aspx)?/?", re.IGNORECASE)
_SERIAL = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)
_AT_ONCE = 1_000
_SIGNS_OF_LIFE = frozenset({"getrequest", "devicecmd", "ping"})
_NOT_KEPT = frozenset({"options", "attphoto", "biodata", "fingertmp", "facev7", "errorlog", "idcard", "rtstate", "userpic"})
"""Tables that say nothing of punches or people: answered, and not kept."""
_BIOMETRIC = frozenset({"fingertmp", "biodata", "biophoto", "userpic", "templatev10", "facev7", "extuser", "mulcarduser"})


@dataclass(frozen=True)
class Clocks:
    """A source of clocks: who they are, and how their times are read."""

    source: str
    devices: Mapping[str, bytes | None] = field(repr=False)
    """Serial number -> communication key, None where the clock has none."""
    zone: ZoneInfo
    ahead: timedelta = timedelta(minutes=10)
    max_body: int = 4 * 2**20
    networks: Sequence[IPv4Network | IPv6Network] = ()
    """Where its clocks are; none for anywhere."""
    per_second: float | None = None
    """Lines that may come, on the average."""


@dataclass(frozen=True)
class ClockDoor:
    """What the door works with: the sources of punches, and those of people where they are wanted."""

    punches: Sequence[Clocks]
    people: Sequence[Clocks]
    land: Land
    stamps: Stamps
    admit: Admit | None = None
    waiting_bytes: int = 32 * 2**20
    body_seconds: float = 30.0
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


def clock_route(door: ClockDoor) -> Route:
    """/iclock/..., with or without .aspx, and doubled as some firmware does it."""
    return Route("/iclock/{rest:path}", _Endpoint(door).answer, methods=["GET", "POST"])


@dataclass(frozen=True, slots=True)
class _Asking:
    """A clock that is known, and where what it says goes."""

    serial: str
    punches: Clocks
    people: Clocks | None

    @property
    def key(self) -> bytes | None:
        return self.punches.devices[self.serial]


class _Endpoint:
    def __init__(self, door: ClockDoor) -> None:
        largest = max((clocks.max_body for clocks in (*door.punches, *door.people)), default=0)
        self._door = door
        self._budget = Budget(max(door.waiting_bytes, largest))
        self._paces = {one.source: Pace(one.per_second) for one in (*door.punches, *door.people) if one.per_second}
        self._strangers: set[str] = set()
        self._ways: Mapping[str, Callable[[_Asking, Request], Awaitable[str]]] = {
            "cdata": self._cdata,
            "registry": self._registry,
            "push": self._push,
        }

    async def answer(self, request: Request) -> Response:
        try:
            return _plain(await self._answered(request))
        except ClientDisconnect:
            return _plain("ERROR", 400)
        except NaveError as error:
            problem = translated(error)
        except Exception:
            _LOG.exception("clock.failed")
            problem = Problem("NAVE-A018", 500, {})
        cause = f" {problem.cause.code}" if problem.cause else ""
        return _plain(f"ERROR: {problem.code}{cause} {problem.text()}\n", problem.status, problem.headers)

    async def _answered(self, request: Request) -> str:
        found = _PATH.fullmatch(request.path_params["rest"])
        if found is None:
            raise Problem("NAVE-A007", 404, {}, path=request.url.path[:80])
        what = found[1].lower()
        asking = self._known(request)
        return "OK" if what in _SIGNS_OF_LIFE else await self._ways[what](asking, request)

    def _known(self, request: Request) -> _Asking:
        """A Problem with 403 for a clock that no source lists, that calls from elsewhere, or shows another key."""
        serial = request.query_params.get("SN", "")
        punches = next((one for one in self._door.punches if serial in one.devices), None)
        if punches is None or not _is_near(request, punches):
            self._tell_of(serial, request)
            raise Problem("NAVE-K360", 403, {}, serial=serial[:60] or "-")
        people = next((one for one in self._door.people if serial in one.devices), None)
        asking = _Asking(serial, punches, people)
        shown = request.query_params.get("pushcommkey")
        if asking.key and shown is not None and not compare_digest(shown.encode(), asking.key):
            raise Problem("NAVE-K361", 403, {}, serial=serial)
        return asking

    def _tell_of(self, serial: str, request: Request) -> None:
        """Once each, and of no more than a thousand: a stranger calls every few seconds."""
        shown = serial if _SERIAL.fullmatch(serial) else "?"
        if shown not in self._strangers and len(self._strangers) < _AT_ONCE:
            self._strangers.add(shown)
            _LOG.warning("clock.unknown serial=%s address=%s", shown, request.client.host if request.client else "-")

    async def _registry(self, asking: _Asking, request: Request) -> str:
        self._must_show_key(asking, request)
        return f"RegistryCode={said.registry_code(asking.serial, asking.key or b'')}"

    async def _push(self, asking: _Asking, request: Request) -> str:
        self._must_show_key(asking, request)
        return said.push_options(asking.serial, asking.key or b"")

    @staticmethod
    def _must_show_key(asking: _Asking, request: Request) -> None:
        """A clock shows its key when it begins, and at no other time."""
        if asking.key and request.query_params.get("pushcommkey") is None:
            raise Problem("NAVE-K361", 403, {}, serial=asking.serial)

    async def _cdata(self, asking: _Asking, request: Request) -> str:
        if request.method == "GET":
            return await self._options(asking, request)
        table = request.query_params.get("table", "").lower()
        self._look_for_room(asking.people if table == "operlog" and asking.people else asking.punches)
        with self._budget.share(0) as share:
            body = await body_of(request, asking.punches.max_body, share, self._door.body_seconds)
            return await self._taken(asking, request, table, body)

    async def _options(self, asking: _Asking, request: Request) -> str:
        self._must_show_key(asking, request)
        kept = await asyncio.to_thread(self._door.stamps.of, asking.serial)
        zoned = self._door.now().astimezone(asking.punches.zone)
        version = request.query_params.get("pushver", "")
        return said.options(asking.serial, version, kept.get, zoned, asking.people is not None)

    async def _taken(self, asking: _Asking, request: Request, table: str, body: bytes) -> str:
        if table in _NOT_KEPT:
            return "OK"
        if table == "tabledata":
            return await self._table(asking, request, body)
        parse, clocks = {
            "attlog": (read.punch, asking.punches),
            "rtlog": (read.event, asking.punches),
            "operlog": (read.person, asking.people),
        }.get(table, (None, None))
        if parse is None:
            raise Problem("NAVE-K362", 501, {}, table=table[:40] or "-", serial=asking.serial)
        count = await self._landed(asking, clocks, body, parse, table)
        await self._stamp(asking, request, table)
        return "OK" if table == "rtlog" else f"OK: {count}"

    async def _table(self, asking: _Asking, request: Request, body: bytes) -> str:
        """Tables of protocol 3 are answered by name and count; a plain OK makes a clock send them for ever."""
        name = request.query_params.get("tablename", "")
        if name.lower() == "user":
            count = await self._landed(asking, asking.people, body, read.person, "user")
        elif name.lower() in _BIOMETRIC:
            count = sum(1 for _ in read.lines(body))
        else:
            raise Problem("NAVE-K362", 501, {}, table=name[:40] or "-", serial=asking.serial)
        told = request.query_params.get("count", "")
        return f"{name}={told if told.isascii() and told.isdigit() and len(told) < 10 else count}"

    async def _landed(self, asking: _Asking, clocks: Clocks | None, body: bytes, parse: read.Parse, table: str) -> int:
        """How many lines came; returns after the commit of all that they say."""
        if clocks is None:
            return sum(1 for _ in read.lines(body))
        reading = read.Reading(asking.serial, self._door.now(), clocks.zone, clocks.ahead)
        found = [parse(line, reading) for line in read.lines(body)]
        records: list[Raw] = [one for one in found if one is not None]
        for start in range(0, len(records), _AT_ONCE):
            await self._door.land(
                clocks.source, records[start : start + _AT_ONCE], {"unit": "line", "device": asking.serial, "table": table}
            )
        if clocks.source in self._paces:
            self._paces[clocks.source].took(len(found))
        return len(found)

    def _look_for_room(self, clocks: Clocks) -> None:
        """A RetryableError where nothing more may come now; the clock tries again by itself."""
        pace = self._paces.get(clocks.source)
        if pace is not None and (wait := pace.wait()):
            raise RetryableError("NAVE-E034", after=wait, source=clocks.source, rate=f"{clocks.per_second:g}")
        if self._door.admit is not None:
            self._door.admit(clocks.source)

    async def _stamp(self, asking: _Asking, request: Request, table: str) -> None:
        """How far the clock has told its story; lost, it only tells it again."""
        stamp = next((request.query_params[name] for name in ("Stamp", "OpStamp") if name in request.query_params), "")
        if said.is_stamp(stamp):
            await asyncio.to_thread(self._door.stamps.keep, asking.serial, table.upper(), stamp)


def _is_near(request: Request, clocks: Clocks) -> bool:
    if not clocks.networks:
        return True
    if request.client is None:
        return False
    address = ip_address(request.client.host.partition("%")[0])
    real = getattr(address, "ipv4_mapped", None) or address
    return any(real in network for network in clocks.networks)


def _plain(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(text, status, {**(headers or {}), "Cache-Control": "no-store"}, "text/plain")

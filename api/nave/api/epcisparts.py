"""What every part of the EPCIS door works with, and the form of its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from nave.api.bounds import Budget
from nave.api.door import Admit
from nave.api.epcisnamed import Named
from nave.api.epcisstore import Repository, System
from nave.api.problems import Problem
from nave.core.seal import Seal

_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class EpcisDoor:
    """What the door works with."""

    systems: Sequence[System]
    repository: Repository
    admit: Admit = lambda source: None
    waiting_bytes: int = 32 * 2**20
    body_seconds: float = 30.0
    refuses: Callable[[str, str], str | None] = lambda system, dest: "an address, but nobody is called from here"
    """Why results must not go to an address: system, address; None where they may."""
    seal: Seal = field(default_factory=Seal)
    """Encrypts the keys of subscribers for the store."""
    budget: Budget = field(init=False)
    named: Named = field(init=False)

    def __post_init__(self) -> None:
        largest = max((system.max_body for system in self.systems), default=0)
        object.__setattr__(self, "budget", Budget(max(self.waiting_bytes, largest)))
        kept = self.repository
        object.__setattr__(self, "named", Named(kept.store, kept.clock, kept.ids, self.seal))


def whole(text: str, name: str, most: int) -> int:
    """A parameter that is a whole number above 0, and counts as `most` at most."""
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise Problem("NAVE-K372", 400, {}, name=name, reason="a whole number above 0")
    return min(int(text), most)


def following(request: Request, token: str | None) -> dict[str, str]:
    """The header that leads to the next page, if there is one."""
    if token is None:
        return {}
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "nextPageToken"]
    asked = urlencode([*kept, ("nextPageToken", token)])
    return {"Link": f'<{quote(request.url.path)}?{asked}>; rel="next"'}


def gone(request: Request) -> Problem:
    """That there is nothing at this address."""
    path = "".join(one if one.isprintable() else "?" for one in request.url.path[:80])
    return Problem("NAVE-A007", 404, {}, path=path)


def said(content: Any, status: int, headers: Mapping[str, str]) -> Response:
    """An answer in JSON; numbers keep every digit."""
    sent = {**headers, "Cache-Control": "no-store"}
    return Response(_ENCODER.encode(content), status, sent, "application/ld+json" if status == 200 else "application/json")

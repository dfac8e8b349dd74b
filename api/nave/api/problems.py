"""Failures as a client reads them: RFC 9457 problem documents, in its language, with a code that never changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from nave.core.errors import ConfigError, NaveError, RetryableError
from nave.core.texts import DEFAULT_LANGUAGE, LANGUAGES, message

_TYPE = "application/problem+json"
_ONE_SOURCE = {"NAVE-E032": ("NAVE-A019", 429), "NAVE-E034": ("NAVE-A019", 429)}
"""What one source alone does too much of, while others may go on."""


class Problem(NaveError):
    """An error that knows its HTTP status, and headers that go with it."""

    def __init__(self, code: str, status: int, headers: Mapping[str, str], **params: Any) -> None:
        super().__init__(code, **params)
        self.status = status
        self.headers = headers
        self.cause: NaveError | None = None


def translated(error: NaveError) -> Problem:
    """As a problem; what the store or the engine said is added as its cause."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RetryableError):
        wait = max(1, math.ceil(error.after or 1.0))
        code, status = _ONE_SOURCE.get(error.code, ("NAVE-A006", 503))
        problem = Problem(code, status, {"Retry-After": str(wait)}, seconds=wait)
    elif isinstance(error, ConfigError):
        problem = Problem("NAVE-A006", 503, {"Retry-After": "60"}, seconds=60)
    else:
        problem = Problem("NAVE-A005", 422, {})
    problem.cause = error
    return problem


def problem_response(problem: Problem, headers: Mapping[bytes, bytes]) -> Response:
    """The answer, in the first language of Accept-Language that Nave speaks."""
    language = preferred(headers.get(b"accept-language", b"").decode("latin-1"))
    body = {
        "type": f"urn:nave:error:{problem.code}",
        "title": message(problem.code, "title", language) or problem.text(language),
        "status": problem.status,
        "detail": problem.text(language),
        "code": problem.code,
        "help": problem.help(language),
    }
    if problem.cause is not None:
        body["errors"] = [{"code": problem.cause.code, "detail": problem.cause.text(language)}]
    sent = {**problem.headers, "Content-Language": language, "Cache-Control": "no-store", "Vary": "Accept-Language"}
    return Response(msgspec.json.encode(body), problem.status, sent, _TYPE)


def preferred(accepted: str) -> str:
    """The best of Nave's languages for an Accept-Language header; English where it names none."""
    best, weight = DEFAULT_LANGUAGE, 0.0
    for part in accepted[:500].split(","):
        tag, _, parameter = part.strip().lower().partition(";")
        language = tag.partition("-")[0]
        quality = _quality(parameter)
        if language in LANGUAGES and quality > weight:
            best, weight = language, quality
    return best


def _quality(parameter: str) -> float:
    name, _, number = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        quality = float(number)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0

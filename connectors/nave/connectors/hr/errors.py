"""Turns what libcurl and the services say into errors of the hub. Asking changes nothing there, so no outcome is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pycurl

from nave.connectors.hr.services import Meaning, Service
from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError

_FOR_GOOD = frozenset(
    {
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_URL_MALFORMAT,
        pycurl.E_UNSUPPORTED_PROTOCOL,
    }
)
_BUSY_SECONDS = 30.0
_KINDS: Mapping[Meaning, tuple[type[NaveError], str]] = {
    Meaning.ENDED: (RetryableError, "NAVE-K365"),
    Meaning.BUSY: (RetryableError, "NAVE-K365"),
    Meaning.STRANGER: (LoginError, "NAVE-K366"),
    Meaning.FORBIDDEN: (ConfigError, "NAVE-K366"),
}


def unreached(
    service: str, url: str, number: int, reason: str, *, sent: bool = False, refused: str | None = None
) -> NaveError:
    """Wrong certificates are a matter of configuration; all else at the line passes."""
    if refused is not None:
        return ConfigError("NAVE-K254", url=short(url, 200), address=refused)
    kind = ConfigError if number in _FOR_GOOD else RetryableError
    return kind("NAVE-K364", service=service, reason=short(reason or f"libcurl {number}"))


def code_in(said: Mapping[str, Any]) -> str:
    """The result code, `0` for well; of the gateway's 88 the one that it wraps. A missing one is `0`, as in old answers."""
    code = said.get("errcode", 0)
    if str(code) == "88" and said.get("sub_code"):
        code = said["sub_code"]
    return str(code)


def refusal(service: Service, said: Mapping[str, Any]) -> NaveError:
    """What a result code other than `0` comes to."""
    code = code_in(said)
    meaning = service.codes.get(code)
    kind, number = _KINDS[meaning] if meaning else (ConfigError, "NAVE-K367")
    params = {"service": service.name, "errcode": short(code, 20), "said": short(said.get("errmsg", ""))}
    return RetryableError(number, after=_BUSY_SECONDS, **params) if kind is RetryableError else kind(number, **params)


def bad_status(service: Service, status: int, after: float | None) -> NaveError:
    """What an HTTP status other than 200 comes to."""
    params = {"service": service.name, "errcode": f"HTTP {status}", "said": ""}
    if status >= 500 or status in (408, 425, 429):
        return RetryableError("NAVE-K365", after=after, **params)
    return ConfigError("NAVE-K367", **params)

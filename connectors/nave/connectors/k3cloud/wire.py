"""One session with a K/3 Cloud server: logs in when needed, once anew when the session is lost, and out at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import msgspec
import pycurl

from nave.connectors.curl import settings
from nave.connectors.exchange import Answer, exchange
from nave.connectors.k3cloud.errors import Meaning, bad_status, failed, garbled, meaning, status_in, unasked
from nave.connectors.k3cloud.options import K3Options
from nave.connectors.wording import short
from nave.core.errors import LoginError, NaveError, RetryableError, UnknownOutcome
from nave.core.protocols import Setting
from nave.formats import loads

_STUB = "/Kingdee.BOS.WebApi.ServicesStub."
_SESSION = "kdservice-sessionid"
_MOST_COOKIES = 16
_LONGEST_COOKIE = 4_096
_BYE_MILLISECONDS = 2_000
_FAILURE = b"response_error:"
"""What older servers put before the text of an exception, in place of an answer."""


class Wire:
    """To be used by one thread at a time. Neither bodies nor cookies of a login are ever part of an error."""

    def __init__(self, options: K3Options, setting: Setting) -> None:
        self._options = options
        self._settings = settings(_NoUser(options), setting)
        self._handle = pycurl.Curl()
        self._encoder = msgspec.json.Encoder(decimal_format="number")
        self._cookies: str | None = None

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Log out, which frees the licence of one user, and close the connection."""
        if self._cookies is not None:
            with suppress(NaveError):
                self._settings[pycurl.TIMEOUT_MS] = _BYE_MILLISECONDS
                self._send("AuthService.Logout", {}, self._cookies, asks=True)
        self._handle.close()

    def enter(self) -> None:
        """Log in, if that is still to be done; a LoginError where the server does not let the hub in."""
        if self._cookies is None:
            service, body = _login(self._options)
            answer = self._send(service, body, None, asks=True)
            said = _read(answer, service)
            told = said.get("LoginResultType") if isinstance(said, dict) else None
            cookies = _cookies(answer.head)
            if str(told) != "1" or _SESSION not in cookies:
                raise LoginError("NAVE-K411", reason=self._why(said))
            self._cookies = "; ".join(f"{name}={value}" for name, value in cookies.items())

    def call(self, service: str, body: Mapping[str, Any], *, asks: bool) -> Any:
        """What a service answers. A call that finds its session lost was not begun, so it is made once more in a new one.

        RetryableError where the server is away, its answer is lost or is none of K/3's; LoginError; ConfigError for what
        stays wrong. Whether the answer says that something was done is for the caller to see.
        """
        said = self._asked(service, body, asks=asks)
        if _lost(said):
            self._cookies = None
            said = self._asked(service, body, asks=asks)
        if _lost(said):
            self._cookies = None
            raise RetryableError("NAVE-K419", what=service, reason="MsgCode 1")
        return said

    def rows(
        self, form: str, fields: Sequence[str], condition: str | None, order: str, *, start: int = 0, limit: int = 2000
    ) -> list[list[Any]]:
        """Rows of a form, each with the values of `fields` in their order. ConfigError where the query is refused."""
        asked = {"FormId": form, "FieldKeys": ",".join(fields), "FilterString": condition or "", "OrderString": order}
        body = {"data": {**asked, "TopRowCount": 0, "StartRow": start, "Limit": limit}}
        said = self.call("DynamicFormService.ExecuteBillQuery", body, asks=True)
        status = status_in(said)
        if status is not None and failed(status):
            raise unasked(status, form)
        whole = isinstance(said, list) and all(isinstance(row, list) and len(row) == len(fields) for row in said)
        if not whole or len(said) > limit:
            raise garbled(form, f"no rows of {len(fields)} values")
        return list(said)

    def _asked(self, service: str, body: Mapping[str, Any], *, asks: bool) -> Any:
        self.enter()
        return _read(self._send(service, body, self._cookies, asks=asks), service)

    def _send(self, service: str, body: Mapping[str, Any], cookies: str | None, *, asks: bool) -> Answer:
        url = self._options.url
        headers = ["Accept: application/json", "Content-Type: application/json; charset=utf-8", "Expect:"]
        request: dict[int, Any] = {**self._settings, pycurl.URL: f"{url}{_STUB}{service}.common.kdsvc"}
        request[pycurl.HTTPHEADER] = headers if cookies is None else [*headers, f"Cookie: {cookies}"]
        request |= {pycurl.POST: 1, pycurl.POSTFIELDS: self._encoder.encode(body)}
        if not asks:  # a kept connection that has just ended never tells whether a request got through
            request[pycurl.FRESH_CONNECT] = 1
        try:
            answer = exchange(self._handle, url, request, self._options.max_answer, _too_large)
        except UnknownOutcome as error:
            raise RetryableError("NAVE-K418", what=service, reason=short(error.params.get("reason", ""), 200)) from error
        if answer.status != 200:
            raise bad_status(answer.status, service, answer.retry_after)
        return answer

    def _why(self, said: Any) -> str:
        """Why nobody was let in; a text that repeats what was sent is not shown."""
        status = status_in(said)
        told = said.get("Message") if isinstance(said, dict) else None
        errors = status.get("Errors") if status else None
        if not told and isinstance(errors, list) and errors and isinstance(errors[0], dict):
            told = errors[0].get("Message")
        code = said.get("LoginResultType") if isinstance(said, dict) else None
        text = short(told or "", 200)
        secrets = (self._options.password, self._options.app_secret)
        if any(one is not None and one.get_secret_value() in text for one in secrets):
            text = ""
        return f"LoginResultType {short(code, 20)} {text}".strip()


def _login(options: K3Options) -> tuple[str, Mapping[str, Any]]:
    known = {"acctID": options.acct, "username": options.user, "lcid": options.lcid}
    if options.app_secret is not None:
        secret = options.app_secret.get_secret_value()
        return "AuthService.LoginByAppSecret", {**known, "appid": options.app_id, "appsecret": secret}
    password = options.password.get_secret_value() if options.password else ""
    return "AuthService.ValidateUser", {**known, "password": password}


def _cookies(head: Sequence[bytes]) -> dict[str, str]:
    """What the answer sets; the server and what balances its load need all of them again."""
    found: dict[str, str] = {}
    for line in head:
        name, _, text = line.partition(b":")
        if name.strip().lower() == b"set-cookie" and len(found) < _MOST_COOKIES:
            key, equals, value = text.decode("latin-1").partition(";")[0].strip().partition("=")
            if equals and len(value) <= _LONGEST_COOKIE and (key + value).isascii() and (key + value).isprintable():
                found[key] = value
    return found


def _read(answer: Answer, service: str) -> Any:
    content = answer.content
    if content.startswith(_FAILURE):
        text = short(content.removeprefix(_FAILURE).decode("utf-8", "replace"), 500)
        return {"Result": {"ResponseStatus": {"IsSuccess": False, "Errors": [{"Message": text}]}}}
    try:
        return loads(content)
    except NaveError as error:
        raise garbled(service, error.text()) from error


def _lost(said: Any) -> bool:
    status = status_in(said)
    return status is not None and failed(status) and meaning(status) is Meaning.SESSION


def _too_large(reason: str) -> NaveError:
    return RetryableError("NAVE-K418", what="max_answer", reason=reason)


class _NoUser:
    """The limits of a connection whose login goes another way than Basic."""

    def __init__(self, options: K3Options) -> None:
        self.user = None
        self.password = None
        self.ca = options.ca
        self.connect = options.connect
        self.idle = options.idle
        self.timeout = options.timeout

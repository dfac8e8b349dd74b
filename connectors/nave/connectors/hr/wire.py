"""Asks a service that is entered with a token in the query; a token that ends is renewed, also in the middle of a list."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec
import pycurl

from nave.connectors.curl import settings
from nave.connectors.exchange import exchange
from nave.connectors.hr.errors import bad_status, code_in, refusal, unreached
from nave.connectors.hr.options import CloudOptions
from nave.connectors.hr.services import Meaning, Service
from nave.connectors.wording import short
from nave.core.errors import ConfigError, NaveError, RetryableError
from nave.core.protocols import Setting
from nave.formats import loads

_EARLY_SECONDS = 60.0
_LONGEST_TOKEN = 4_096


class Wire:
    """One connection to one service. To be used by one thread at a time."""

    def __init__(self, service: Service, options: CloudOptions, setting: Setting, most: int = 2**20) -> None:
        self._service = service
        self._options = options
        self._most = most
        self._settings = settings(options, setting)
        self._handle = pycurl.Curl()
        self._token: str | None = None
        self._until = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._handle.close()

    def enter(self) -> str:
        """The token; a LoginError where the credentials are refused."""
        if self._token is None or time.monotonic() >= self._until:
            names, options = self._service.token_params, self._options
            query = {names[0]: options.id, names[1]: options.secret.get_secret_value()}
            began = time.monotonic()
            said = self._call(self._service.token_path, query, None)
            if code_in(said) != "0":
                raise refusal(self._service, _without_text(said))
            self._token, self._until = self._token_in(said), began + _lifetime(said)
        return self._token

    def ask(
        self, question: Mapping[str, Any] | None, path: str | None = None, *, fine: Container[str] = ()
    ) -> Mapping[str, Any]:
        """As `answer`, if its code says that all is well or is one of those that are `fine`; what else it says is raised."""
        said = self.answer(question, path)
        if code_in(said) != "0" and code_in(said) not in fine:
            self._token = None
            raise refusal(self._service, said)
        return said

    def answer(
        self, question: Mapping[str, Any] | None, path: str | None = None, query: Mapping[str, str] | None = None
    ) -> Mapping[str, Any]:
        """What is said, whatever its code, by a new token where the old one has ended; without a question by GET.

        `path` is the service's own if left out, `query` stands beside the token.
        """
        said = self._asked(question, path, query or {})
        if self._service.codes.get(code_in(said)) is Meaning.ENDED:
            self._token = None
            said = self._asked(question, path, query or {})
        return said

    def _asked(self, question: Mapping[str, Any] | None, path: str | None, query: Mapping[str, str]) -> Mapping[str, Any]:
        body = None if question is None else msgspec.json.encode(question)
        return self._call(path or self._service.path, {"access_token": self.enter(), **query}, body)

    def _token_in(self, said: Mapping[str, Any]) -> str:
        token = said.get("access_token")
        if not isinstance(token, str) or not 0 < len(token) <= _LONGEST_TOKEN:
            raise RetryableError("NAVE-K368", service=self._service.name, reason="no access_token")
        return token

    def _call(self, path: str, query: Mapping[str, str], body: bytes | None) -> Mapping[str, Any]:
        """One exchange. Neither query nor body is ever part of an error: they hold secrets."""
        url = self._options.url
        request: dict[int, Any] = {**self._settings, pycurl.URL: f"{url}{path}?{urlencode(query)}"}
        request[pycurl.HTTPHEADER] = ["Accept: application/json", "Content-Type: application/json", "Expect:"]
        if body is not None:
            request |= {pycurl.POST: 1, pycurl.POSTFIELDS: body}
        answer = exchange(self._handle, url, request, self._most, self._too_large, partial(unreached, self._service.name))
        if answer.status != 200:
            raise bad_status(self._service, answer.status, answer.retry_after)
        return self._read(answer.content)

    def _too_large(self, reason: str) -> NaveError:
        return ConfigError("NAVE-K368", service=self._service.name, reason=reason)

    def _read(self, content: bytes) -> Mapping[str, Any]:
        try:
            said = loads(content)
        except NaveError as error:
            raise RetryableError("NAVE-K368", service=self._service.name, reason=short(error.text())) from error
        if not isinstance(said, dict):
            raise RetryableError("NAVE-K368", service=self._service.name, reason=short(type(said).__name__))
        return said


def check(service: Service, options: CloudOptions, setting: Setting) -> None:
    """Whether the service lets the hub in: a token is fetched, and nothing is asked."""
    wire = Wire(service, options, setting)
    try:
        wire.enter()
    finally:
        wire.close()


def _without_text(said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Only the codes: the text to a refused secret may repeat it."""
    return {name: said[name] for name in ("errcode", "sub_code") if name in said}


def _lifetime(said: Mapping[str, Any]) -> float:
    seconds = said.get("expires_in")
    return max(0.0, float(seconds) - _EARLY_SECONDS) if isinstance(seconds, int) and 0 < seconds < 10**9 else 0.0

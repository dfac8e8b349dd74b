"""How the hub shows a service who it is: headers that stay, and OAuth 2 tokens that are fetched, kept and renewed."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

from nave.connectors.http.options import OAuth
from nave.connectors.wording import short
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.formats import loads

UNRENEWED = "NAVE-K243"
MOST = 64 * 2**10
"""Bytes of an answer with a token."""
_LONGEST = 16 * 2**10
_EARLY_SECONDS = 30.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_LATER = frozenset({408, 425, 429})
_REASONS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}
)
"""RFC 6749, 5.2. Any other text of the far side is not shown: it might hold the secret it was sent."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a token server answered: status, the seconds it asks to wait, and the body, None where it was cut."""

    status: int
    after: float | None
    body: bytes | None


Post = Callable[[str, Mapping[str, str], bytes], Given]
"""POST a body to a url; raises the connector's errors."""


class Login(Protocol):
    """Headers that let the hub in."""

    def headers(self) -> list[str]:
        """What to send now; a NaveError where nothing can be had."""

    def refused(self) -> bool:
        """A call was answered 401: whether new headers might do better."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """Headers that never change."""

    lines: tuple[str, ...]

    def headers(self) -> list[str]:
        """The same each time."""
        return list(self.lines)

    def refused(self) -> bool:
        """No others to offer."""
        return False


class Tokens:
    """Keeps one token until shortly before it ends, or until it is refused."""

    def __init__(self, options: OAuth, post: Post, beside: tuple[str, ...]) -> None:
        self._options = options
        self._post = post
        self._beside = beside
        self._token: str | None = None
        self._until = 0.0

    def headers(self) -> list[str]:
        """With a token, fetched if need be; RetryableError or ConfigError if none is given."""
        if self._token is None or time.monotonic() >= self._until:
            self._token, self._until = self._fetch()
        return [f"Authorization: Bearer {self._token}", *self._beside]

    def refused(self) -> bool:
        """Forget the token, so that the next headers hold another one."""
        self._token = None
        return True

    def _fetch(self) -> tuple[str, float]:
        url = self._options.token_url
        began = time.monotonic()
        try:
            given = self._post(url, {**_FORM, **_basic(self._options)}, urlencode(_form(self._options)).encode())
        except ConfigError:
            raise
        except NaveError as error:  # asking for a token twice does no harm, so an unknown outcome is none
            raise RetryableError(UNRENEWED, url=short(url, 200), reason=short(error.text())) from error
        if given.status >= 500 or given.status in _LATER:
            raise RetryableError(UNRENEWED, after=given.after, url=short(url, 200), reason=str(given.status))
        said = _said(given.body)
        token, kind = said.get("access_token"), said.get("token_type", "bearer")
        if given.status != 200 or not _fits(token) or str(kind).lower() != "bearer":
            raise LoginError("NAVE-K244", url=short(url, 200), reason=_reason(given.status, said))
        return str(token), began + _lifetime(said.get("expires_in"))


def _basic(options: OAuth) -> dict[str, str]:
    """RFC 6749, 2.3.1: both are form-encoded before they are joined."""
    if options.credentials == "body":
        return {}
    pair = f"{quote_plus(options.client_id)}:{quote_plus(options.client_secret.get_secret_value())}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _form(options: OAuth) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "scope": options.scope, "audience": options.audience}
    if options.credentials == "body":
        form |= {"client_id": options.client_id, "client_secret": options.client_secret.get_secret_value()}
    return {name: text for name, text in form.items() if text is not None}


def _said(body: bytes | None) -> Mapping[str, Any]:
    try:
        said = loads(body) if body else None
    except NaveError:
        return {}
    return said if isinstance(said, dict) else {}


def _fits(token: object) -> bool:
    return isinstance(token, str) and 0 < len(token) <= _LONGEST and token.isascii() and token.isprintable()


def _reason(status: int, said: Mapping[str, Any]) -> str:
    code = said.get("error")
    return f"{status} {code}" if isinstance(code, str) and code in _REASONS else str(status)


def _lifetime(seconds: object) -> float:
    """For how long to use a token; one whose end is not told is used until it is refused."""
    text = str(seconds)
    if isinstance(seconds, bool) or not text.isdecimal() or len(text) > 9:
        return float("inf")
    return max(0.0, float(text) - min(_EARLY_SECONDS, float(text) / 10))

"""OAuth 2 for connectors: tokens that are fetched by client credentials or a refresh token, kept, and renewed."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident
from typing import Annotated, Any, Literal
from urllib.parse import quote_plus, urlencode, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

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


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected http:// or https:// with a host, without user, query or fragment")
    return text.rstrip("/")


class OAuth(BaseModel):
    """OAuth 2 client credentials (RFC 6749, 4.4), or a refresh token (6): a token is fetched when one is needed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token_url: Annotated[str, AfterValidator(_url)] = Field(description="Where tokens are given out")
    client_id: str = Field(min_length=1, max_length=1000, description="Who the hub is there")
    client_secret: SecretStr | None = Field(
        default=None, description="How it proves that; may be left out beside a refresh token of a public client"
    )
    refresh_token: SecretStr | None = Field(
        default=None,
        description="What somebody's consent gave, in place of client credentials; one that replaces it is kept in .nave",
    )
    scope: str | None = Field(default=None, max_length=1000, description="What the token is to allow")
    audience: str | None = Field(default=None, max_length=1000, description="Whom the token is for, where the server asks")
    credentials: Literal["header", "body"] = Field(
        default="header", description="Whether id and secret go as Authorization: Basic or in the form"
    )

    @model_validator(mode="after")
    def _proves_something(self) -> OAuth:
        if self.client_secret is None and self.refresh_token is None:
            raise ValueError("expected client_secret, refresh_token, or both")
        return self


@dataclass(frozen=True, slots=True)
class Given:
    """What a token server answered: status, the seconds it asks to wait, and the body, None where it was cut."""

    status: int
    after: float | None
    body: bytes | None


Post = Callable[[str, Mapping[str, str], bytes], Given]
"""POST a body to a url; raises the connector's errors."""


class Tokens:
    """Keeps one token until shortly before it ends, or until it is refused."""

    def __init__(self, options: OAuth, post: Post, folder: Path) -> None:
        """`folder` is the hub's: a refresh token that replaces the configured one is kept in it."""
        self._options = options
        self._post = post
        self._kept = _Kept(options, folder)
        self._token: str | None = None
        self._until = 0.0

    def token(self) -> str:
        """The token, fetched if need be; RetryableError or ConfigError if none is given."""
        if self._token is None or time.monotonic() >= self._until:
            self._token, self._until = self._fetch()
        return self._token

    def forget(self) -> None:
        """It was refused: the next one is another."""
        self._token = None

    def _fetch(self) -> tuple[str, float]:
        url = self._options.token_url
        began = time.monotonic()
        form = _form(self._options, self._kept.read())
        try:
            given = self._post(url, {**_FORM, **_basic(self._options)}, urlencode(form).encode())
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
        self._kept.replace(said.get("refresh_token"))
        return str(token), began + _lifetime(said.get("expires_in"))


class _Kept:
    """The refresh token to use: the configured one, or the latest of those that replaced it.

    The file is named by what is configured, so that another one in the configuration counts at once.
    """

    def __init__(self, options: OAuth, folder: Path) -> None:
        secret = options.refresh_token
        self._first = secret.get_secret_value() if secret is not None else None
        named = "\0".join((options.token_url, options.client_id, self._first or ""))
        self._path = folder / ".nave" / "refresh-tokens" / hashlib.sha256(named.encode()).hexdigest()[:32]
        self._latest = self._first

    def read(self) -> str | None:
        """None where there is none to use."""
        if self._first is not None:
            with suppress(OSError, UnicodeDecodeError):
                return self._path.read_text("ascii")
        return self._latest

    def replace(self, token: object) -> None:
        """What came with an access token. A disk that is full must not keep the hub out: it is known until the end then."""
        if self._first is None or not _fits(token) or token == self.read():
            return
        self._latest = str(token)
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside = self._path.with_suffix(f".{os.getpid()}.{get_ident()}")
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(self._latest)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)


def _basic(options: OAuth) -> dict[str, str]:
    """RFC 6749, 2.3.1: both are form-encoded before they are joined."""
    if options.credentials == "body" or options.client_secret is None:
        return {}
    pair = f"{quote_plus(options.client_id)}:{quote_plus(options.client_secret.get_secret_value())}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _form(options: OAuth, refresh: str | None) -> dict[str, str]:
    kind = "client_credentials" if refresh is None else "refresh_token"
    form = {"grant_type": kind, "refresh_token": refresh, "scope": options.scope, "audience": options.audience}
    if options.client_secret is None:
        form |= {"client_id": options.client_id}
    elif options.credentials == "body":
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

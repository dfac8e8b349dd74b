"""How the hub shows a mail server who it is: a password, or an OAuth 2 token, tried once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pycurl

from nave.connectors.curl import settings
from nave.connectors.dropped.logins import Login
from nave.connectors.exchange import exchange
from nave.connectors.mail.options import MailOptions, place
from nave.connectors.oauth import MOST, Given, OAuth, Post, Tokens
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.core.protocols import Setting


@dataclass(frozen=True, slots=True)
class Entry:
    """One user of one server, with what is to be shown there."""

    login: Login
    user: str
    secret: str
    """The password, or a token that was given out just now."""
    bearer: bool

    def refused(self, reason: str) -> LoginError:
        """Remember it; the error to raise, which never repeats the secret."""
        return self.login.refused("-" if self.secret in reason else reason)

    def accepted(self) -> None:
        """Forget what was refused."""
        self.login.accepted()


def entry_of(connection: MailOptions, url: str, folder: Path, *, anew: bool) -> Entry:
    """LoginError if the server refused exactly this a moment ago, or if no token is given out; RetryableError if none can
    be had now. With `anew` also what was refused is tried."""
    assert connection.user is not None
    oauth = connection.oauth
    if oauth is None:
        assert connection.password is not None
        password = connection.password.get_secret_value()
        login = _checked(Login(folder, url, connection.user, password.encode()), anew)
        return Entry(login, connection.user, password, bearer=False)
    login = _checked(Login(folder, url, connection.user, _proof(oauth)), anew)
    try:
        token = Tokens(oauth, _poster(connection, folder), folder).token()
    except LoginError as error:
        login.refused(error.text())
        raise
    return Entry(login, connection.user, token, bearer=True)


def _checked(login: Login, anew: bool) -> Login:
    if not anew:
        login.check()
    return login


def _proof(oauth: OAuth) -> bytes:
    """What makes another login of it."""
    secrets = [one.get_secret_value() for one in (oauth.client_secret, oauth.refresh_token) if one is not None]
    return "\0".join([oauth.client_id, oauth.scope or "", *secrets]).encode()


def _poster(connection: MailOptions, folder: Path) -> Post:
    """POST to the token server, under the time limits and by the certificates of the connection."""
    limits = settings(_Limits(connection), Setting("mail", folder))

    def post(url: str, headers: Mapping[str, str], body: bytes) -> Given:
        lines = ["Accept: application/json", "Expect:", *(f"{name}: {text}" for name, text in headers.items())]
        request = {**limits, pycurl.URL: url, pycurl.HTTPHEADER: lines, pycurl.POST: 1, pycurl.POSTFIELDS: body}
        handle = pycurl.Curl()
        try:
            answer = exchange(handle, url, request, MOST, _too_large)
        finally:
            handle.close()
        return Given(answer.status, answer.retry_after, answer.content)

    return post


def _too_large(reason: str) -> NaveError:
    return RetryableError("NAVE-K333", url="token_url", reason=reason)


class _Limits:
    """Of calls to the token server, which take no user."""

    def __init__(self, connection: MailOptions) -> None:
        self.user = None
        self.password = None
        self.ca = connection.ca
        self.connect = self.idle = self.timeout = connection.timeout


@dataclass(frozen=True, slots=True)
class Told:
    """What is said to a server that takes tokens: the way, the first words, and the ones behind a refusal."""

    way: str
    first: bytes
    last: bytes


def told(entry: Entry, url: str, ways: Collection[str]) -> Told:
    """XOAUTH2 or OAUTHBEARER (RFC 7628), whichever is offered; ConfigError NAVE-K332 where neither is."""
    if "XOAUTH2" in ways:
        return Told("XOAUTH2", f"user={entry.user}\x01auth=Bearer {entry.secret}\x01\x01".encode(), b"")
    if "OAUTHBEARER" in ways:
        there, named = place(url), entry.user.replace("=", "=3D").replace(",", "=2C")
        words = f"n,a={named},\x01host={there.host}\x01port={there.port}\x01auth=Bearer {entry.secret}\x01\x01"
        return Told("OAUTHBEARER", words.encode(), b"\x01")
    raise ConfigError("NAVE-K332", url=url, reason="AUTH XOAUTH2, AUTH OAUTHBEARER")

"""Turns what pika reports into errors of the hub: by reply code where the broker gave one, else by class."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pika.exceptions as vendor
from pika.adapters.utils import connection_workflow as opening

from nave.connectors.wording import first_line, short
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError

_Row = tuple[type[NaveError], str]
_NOT_REACHED: _Row = (RetryableError, "NAVE-K260")
_LOGIN: _Row = (LoginError, "NAVE-K261")
_CERTIFICATE: _Row = (ConfigError, "NAVE-K262")
_FORBIDDEN: _Row = (ConfigError, "NAVE-K263")
_MISSING: _Row = (ConfigError, "NAVE-K264")
_GONE: _Row = (RetryableError, "NAVE-K265")
_OTHERWISE: _Row = (ConfigError, "NAVE-K266")
_CANCELLED: _Row = (RetryableError, "NAVE-K268")
_PROTOCOL: _Row = (ConfigError, "NAVE-K279")

_REPLIES: Mapping[int, _Row] = {
    402: _FORBIDDEN,
    403: _FORBIDDEN,
    404: _MISSING,
    405: _GONE,
    406: _OTHERWISE,
    530: _FORBIDDEN,
    540: _OTHERWISE,
}
"""What RabbitMQ closes a channel or a connection with; all else passes by itself."""
_PASSING = ("down or inaccessible", "timed out", "unknown delivery tag", "acknowledgement on channel")
"""Words in a reply that make it one that passes by itself, whatever its code: a node is away, a leader is being chosen."""

_CLASSES: tuple[tuple[type[BaseException], _Row], ...] = (
    (ssl.SSLCertVerificationError, _CERTIFICATE),
    (ssl.SSLError, _CERTIFICATE),
    (vendor.ProbableAuthenticationError, _LOGIN),
    (vendor.AuthenticationError, _LOGIN),
    (vendor.ProbableAccessDeniedError, _FORBIDDEN),
    (vendor.ConsumerCancelled, _CANCELLED),
    (vendor.IncompatibleProtocolError, _PROTOCOL),
    (vendor.ProtocolVersionMismatch, _PROTOCOL),
    (vendor.StreamLostError, _GONE),
    (vendor.AMQPHeartbeatTimeout, _GONE),
    (vendor.ConnectionBlockedTimeout, _GONE),
    (vendor.ConnectionClosed, _GONE),
    (vendor.ConnectionWrongStateError, _GONE),
    (vendor.AMQPConnectionError, _NOT_REACHED),
    (vendor.AMQPChannelError, _GONE),
    (vendor.AMQPError, _GONE),
    (vendor.ChannelError, _GONE),
    (vendor.ReentrancyError, _GONE),
    (opening.AMQPConnectorException, _NOT_REACHED),
    (socket.gaierror, _NOT_REACHED),
    (TimeoutError, _NOT_REACHED),
    (OSError, _NOT_REACHED),
)
_CAUGHT = tuple(kind for kind, _ in _CLASSES)
_GUESSES = (vendor.IncompatibleProtocolError, vendor.ProbableAuthenticationError, vendor.ProbableAccessDeniedError)
"""What pika makes of a connection that goes away before it is open, whatever the reason. A broker that turns a login away
says so before it hangs up; one that just hangs up, or whose node is killed in that moment, has said nothing."""


@contextmanager
def translating(url: str) -> Iterator[None]:
    """`url` is the broker for the text; it holds no secrets."""
    try:
        yield
    except _CAUGHT as error:
        raise translated(error, url) from error


def translated(error: BaseException, url: str) -> NaveError:
    """The hub's error for one of pika's, or for what it wraps; anything else is a connection that was lost."""
    inner = root(error)
    kind, code = _row(inner)
    return kind(code, url=short(url, 200), reason=_reason(inner))


def is_login(error: BaseException) -> bool:
    """Whether a broker turned the login itself away: no other node will think better of it."""
    return _row(root(error)) in (_LOGIN, _FORBIDDEN)


def root(error: BaseException) -> BaseException:
    """What lies at the bottom of the errors that pika wraps around one another."""
    for _ in range(8):
        inner = getattr(error, "exception", None)
        listed = getattr(error, "exceptions", None)
        if isinstance(listed, list | tuple) and listed:
            inner = listed[-1]
        if inner is None and error.args and isinstance(error.args[0], BaseException):
            inner = error.args[0]
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


def _row(error: BaseException) -> _Row:
    if isinstance(error, vendor.ChannelClosed | vendor.ConnectionClosed):
        text = str(error.reply_text).lower()
        row = _REPLIES.get(int(error.reply_code), _GONE)
        return _GONE if any(words in text for words in _PASSING) else row
    if isinstance(error, _GUESSES) and str(error).startswith(vendor.StreamLostError.__name__):
        return _NOT_REACHED
    return next((row for kind, row in _CLASSES if isinstance(error, kind)), _GONE)


def _reason(error: BaseException) -> str:
    if isinstance(error, vendor.ChannelClosed | vendor.ConnectionClosed):
        return short(f"{error.reply_code} {error.reply_text}", 300)
    return first_line(error, 300)

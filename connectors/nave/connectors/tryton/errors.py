"""Turns what Tryton reports into errors of the hub; what matters is whether the request can have taken effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nave.connectors.wording import first_line, short
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError, UnknownOutcome

_Row = tuple[type[NaveError], str]
_REFUSED: _Row = (PermanentError, "NAVE-K400")
_LATER: _Row = (RetryableError, "NAVE-K401")
_STRANGER: _Row = (LoginError, "NAVE-K402")
_LOST: _Row = (UnknownOutcome, "NAVE-K403")
_SET_UP: _Row = (ConfigError, "NAVE-K404")
_CONSENT: _Row = (PermanentError, "NAVE-K405")

_NAMED: Mapping[str, _Row] = {
    "UserError": _REFUSED,
    "UserWarning": _CONSENT,
    "ConcurrencyException": _LATER,
    "LoginException": _STRANGER,
    "RateLimitException": _STRANGER,
    "MissingDependenciesException": _SET_UP,
}
"""Tryton's own exceptions; what its validations raise are all UserErrors."""
_WORDS: tuple[tuple[str, _Row], ...] = (
    ("database is locked", _LATER),
    ("could not serialize", _LATER),
    ("deadlock detected", _LATER),
    ("connection", _LATER),
    ("modified in the meanwhile", _LATER),
)
"""What else comes through Tryton from its database; all other exceptions are the record's or the mapping's fault."""
_STATUSES: Mapping[int, _Row] = {
    400: _REFUSED,
    401: _STRANGER,
    403: _STRANGER,
    404: _SET_UP,
    405: _SET_UP,
    408: _LATER,
    409: _CONSENT,
    422: _REFUSED,
    423: _LATER,
    429: _STRANGER,
    500: _LATER,
    503: _LATER,
}
"""429 comes after six wrong logins in a row, so it is no reason to try again. Others are lost answers."""


def told(error: object, what: str) -> NaveError:
    """The `error` of a JSON-RPC answer: Tryton's own exceptions by name, others by what they say. Tracebacks stay out."""
    parts = error if isinstance(error, list) and error else [error]
    row = _NAMED.get(str(parts[0]))
    if row is None:
        return _made(_by_words(str(parts[0])), what, parts[0])
    said = parts[1] if len(parts) > 1 else ""
    if row is _CONSENT:  # [name of the warning, what it says, more]
        said = said[1] if isinstance(said, list) and len(said) > 1 else said
    return _made(row, what, said[0] if isinstance(said, list) and said else said)


def answered(status: int, body: Any, what: str) -> NaveError:
    """For a status that is not good; `body` is what the answer says as JSON, if it says anything."""
    said = body.get("message") if isinstance(body, dict) else None
    row = _STATUSES.get(status, _LOST)
    if status == 500 and said:
        row = _by_words(str(said))
    return _made(row, what, said or f"status {status}")


def garbled(what: str, reason: str) -> NaveError:
    """For an answer that is none of Tryton's."""
    return _made(_LOST, what, reason)


def _by_words(said: str) -> _Row:
    text = said.lower()
    return next((row for words, row in _WORDS if words in text), _REFUSED)


def _made(row: _Row, what: str, said: object) -> NaveError:
    kind, code = row
    return kind(code, what=short(what), reason=first_line(said, 200))

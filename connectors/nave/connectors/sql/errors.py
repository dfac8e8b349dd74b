"""Turns errors of SQLAlchemy and the drivers into errors of the hub: by SQLSTATE where there is one, else by class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy.exc as vendor

from nave.connectors.wording import first_line
from nave.core.errors import ConfigError, LoginError, NaveError, PermanentError, RetryableError

_Row = tuple[type[NaveError], str]
_GONE: _Row = (RetryableError, "NAVE-S030")
_BUSY: _Row = (RetryableError, "NAVE-S031")
_STATEMENT: _Row = (ConfigError, "NAVE-S032")
_REFUSED: _Row = (PermanentError, "NAVE-S033")
_LOGIN: _Row = (LoginError, "NAVE-S034")
_SETUP: _Row = (ConfigError, "NAVE-S035")
_THICK: _Row = (ConfigError, "NAVE-K203")

_STATES: tuple[tuple[str, _Row], ...] = (
    ("08", _GONE),
    ("57", _GONE),
    ("58", _GONE),
    ("25", _BUSY),
    ("40", _BUSY),
    ("53", _BUSY),
    ("55", _BUSY),
    ("22", _REFUSED),
    ("23", _REFUSED),
    ("28", _LOGIN),
    ("3D", _SETUP),
    ("42501", _LOGIN),
    ("42", _STATEMENT),
    ("45", _REFUSED),
    ("P0001", _REFUSED),
)
"""Classes of SQLSTATE, the ISO standard's; the longest that fits comes first within its class."""

_WORDS: tuple[tuple[str, _Row], ...] = (
    ("(1644,", _REFUSED),
    ("ora-20", _REFUSED),
    ("ora-01017", _LOGIN),
    ("ora-28000", _LOGIN),
    ("ora-28001", _LOGIN),
    ("ora-01031", _LOGIN),
    ("dpy-3010", _THICK),
    ("certificate verify failed", _SETUP),
    ("(1049,", _SETUP),
    ("(1205,", _BUSY),
    ("(1213,", _BUSY),
    ("(1040,", _BUSY),
    ("ora-00060", _BUSY),
    ("ora-00054", _BUSY),
    ("access denied", _LOGIN),
    ("command denied", _LOGIN),
    ("login failed", _LOGIN),
    ("no pg_hba.conf entry", _LOGIN),
    ('role "', _LOGIN),
    ('database "', _SETUP),
    ("unknown column", _STATEMENT),
    ("locked", _BUSY),
    ("busy", _BUSY),
    ("disk is full", _BUSY),
    ("readonly database", _BUSY),
    ("no such", _STATEMENT),
    ("syntax error", _STATEMENT),
    ("incomplete input", _STATEMENT),
    ("password authentication", _LOGIN),
    ("binding parameter", _REFUSED),
    ("not supported", _REFUSED),
    ("cannot adapt", _REFUSED),
)
"""What drivers without SQLSTATE (SQLite, PyMySQL, oracledb) say, in the classes that lump everything together."""

_CLASSES: tuple[tuple[type[BaseException], _Row], ...] = (
    (vendor.IntegrityError, _REFUSED),
    (vendor.DataError, _REFUSED),
    (vendor.ProgrammingError, _STATEMENT),
    (vendor.NotSupportedError, _STATEMENT),
    (vendor.DBAPIError, _GONE),
    (vendor.StatementError, _REFUSED),
    (vendor.TimeoutError, _BUSY),
    (vendor.DisconnectionError, _GONE),
    (vendor.ResourceClosedError, _GONE),
    (vendor.PendingRollbackError, _GONE),
    (vendor.NoSuchTableError, _STATEMENT),
    (vendor.CompileError, _STATEMENT),
    (vendor.ArgumentError, _SETUP),
    (vendor.NoSuchModuleError, _SETUP),
    (vendor.InvalidRequestError, _STATEMENT),
    (vendor.SQLAlchemyError, _SETUP),
    (ModuleNotFoundError, _SETUP),
    (OverflowError, _REFUSED),
    (UnicodeError, _REFUSED),
)
_CAUGHT = tuple(kind for kind, _ in _CLASSES)


@contextmanager
def translating(name: str) -> Iterator[None]:
    """`name` is the source or sink for the text. A lost commit counts as retryable: the upserts are idempotent."""
    try:
        yield
    except _CAUGHT as error:
        kind, code = _row(error)
        raise kind(code, name=name, reason=_reason(error)) from error


def _row(error: BaseException) -> _Row:
    if isinstance(error, vendor.DBAPIError):
        if error.connection_invalidated:
            return _GONE
        state = getattr(error.orig, "sqlstate", None) or ""
        text = str(error.orig).lower()
        for found in (_first(_STATES, state.startswith), _first(_WORDS, text.__contains__) if not state else None):
            if found is not None:
                return found
    return next(row for kind, row in _CLASSES if isinstance(error, kind))


def _first(table: tuple[tuple[str, _Row], ...], fits: object) -> _Row | None:
    assert callable(fits)
    return next((row for text, row in table if fits(text)), None)


def _reason(error: BaseException) -> str:
    """The driver's own first line: SQLAlchemy's text would hold the statement and its values."""
    inner = error.orig if isinstance(error, vendor.StatementError) and error.orig is not None else error
    return first_line(inner, 200)

"""Gives connections an end to their waiting, each driver in its own way: a silent server holds up nothing for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine, event

from nave.connectors.sql.options import SqlOptions
from nave.core.pings import hurried

_Connect = Callable[[tuple[Any, ...], dict[str, Any], float], Any]


def punctual(engine: Engine, options: SqlOptions) -> Engine:
    """The engine; what its connections wait for longer than `answer` is an error of a lost connection."""
    seconds = max(1.0, options.answer.total_seconds())
    if engine.dialect.driver == "oracledb":
        event.listen(engine, "connect", _limiting(seconds))
    connect = _CONNECT.get(engine.dialect.driver)
    if connect is not None:
        event.listen(engine, "do_connect", _connecting(connect, seconds))
        ping = hurried(engine.dialect.do_ping, min(seconds, max(1.0, options.connect.total_seconds())))
        setattr(engine.dialect, "do_ping", ping)  # noqa: B010 - of one dialect object
    return engine


def _connecting(connect: _Connect, seconds: float) -> Any:
    def connecting(_dialect: object, _record: object, arguments: Any, named: Any) -> Any:
        return connect(tuple(arguments), dict(named), seconds)

    return connecting


def _postgresql(arguments: tuple[Any, ...], named: dict[str, Any], seconds: float) -> Any:
    from nave.core.punctual import Punctual

    connection = Punctual.connect(*arguments, **named)
    connection.seconds, connection.cancels = seconds, True
    return connection


def _mysql(arguments: tuple[Any, ...], named: dict[str, Any], seconds: float) -> Any:
    from nave.connectors.sql.paced import Paced

    return Paced(*arguments, answer=seconds, **named)


def _limiting(seconds: float) -> Any:
    """oracledb takes its limit once it is connected, in milliseconds per round trip."""

    def limit(connection: Any, _record: object) -> None:
        connection.call_timeout = round(seconds * 1000)

    return limit


_CONNECT: Mapping[str, _Connect] = {"psycopg": _postgresql, "pymysql": _mysql}

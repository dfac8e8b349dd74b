"""Opens databases: where a relative SQLite file is, how long to wait, and what each driver wants to be told."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url, text

from nave.connectors.sql.errors import translating
from nave.connectors.sql.options import SqlOptions
from nave.connectors.sql.waits import punctual
from nave.connectors.wording import short
from nave.core.errors import ConfigError
from nave.core.protocols import Setting

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "oracle": "oracle+oracledb",
}


def engine(options: SqlOptions, setting: Setting) -> Engine:
    """An engine for one source or sink; dispose of it after use. A ConfigError says what is wrong with the url."""
    with translating(setting.name):
        url = _url(options, setting)
        settings: dict[str, Any] = {"connect_args": _arguments(url, options), "pool_pre_ping": True}
        if not _is_memory(url):
            settings |= {"pool_size": options.pool, "max_overflow": 0, "pool_timeout": options.connect.total_seconds()}
        if options.mode == "thick" and url.get_backend_name() == "oracle":
            opened = _thick(url, settings, setting.name)
        else:
            opened = create_engine(url, hide_parameters=True, **settings)
        return punctual(opened, options)


def _thick(url: URL, settings: dict[str, Any], name: str) -> Engine:
    """With Oracle's own client, which has to be installed; without it the driver's error comes as it is."""
    import oracledb

    try:
        return create_engine(url, hide_parameters=True, thick_mode=True, **settings)
    except oracledb.Error as error:
        raise ConfigError("NAVE-K209", name=name, reason=short(str(error).splitlines()[0], 200)) from error


def check(options: SqlOptions, setting: Setting) -> None:
    """Log in and ask for nothing."""
    opened = engine(options, setting)
    try:
        with translating(setting.name), opened.connect() as connection:
            connection.execute(text("select 1" + (" from dual" if opened.dialect.name == "oracle" else "")))
    finally:
        opened.dispose()


def _url(options: SqlOptions, setting: Setting) -> URL:
    url = make_url(options.url)
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if options.user is not None:
        url = url.set(username=options.user)
    if options.password is not None:
        url = url.set(password=options.password.get_secret_value())
    if url.get_backend_name() == "sqlite" and not _is_memory(url):
        url = url.set(database=str(setting.folder / (url.database or "")))
    return url


def _is_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def _arguments(url: URL, options: SqlOptions) -> dict[str, Any]:
    seconds = max(1, round(options.connect.total_seconds()))
    table: dict[str, dict[str, Any]] = {
        "sqlite": {"timeout": options.busy.total_seconds(), "check_same_thread": False},
        # A peer that is gone without a word is noticed before the time for an answer is over.
        "postgresql": {
            "connect_timeout": seconds,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
        "mysql": {"connect_timeout": seconds},
        "mariadb": {"connect_timeout": seconds},
        "oracle": {"tcp_connect_timeout": seconds},
    }
    return {name: value for name, value in table.get(url.get_backend_name(), {}).items() if name not in url.query}

"""Connections to PostgreSQL that never wait for ever for an answer; loads the driver, which not every installation has."""

from __future__ import annotations

from typing import Any

import psycopg
import sqlalchemy as sa

from nave.core.errors import ConfigError
from nave.core.pings import hurried
from nave.core.punctual import Punctual
from nave.core.store.hosts import of_no_more_use

ANSWER_SECONDS = 120.0
"""How long one statement may take; `answer_timeout` in the store's URL says otherwise."""
_GRACE_SECONDS = 10.0
"""How much longer than the server's own limit the client waits: a server that lives says itself that it was too long."""
_PING_SECONDS = 5.0

# A peer that is gone without a word (a cut cable, a firewall that forgot, a machine without power) is noticed within
# about ten seconds, whether an answer is awaited (keep-alives) or data is on its way out (the user time-out).
_CLIENT = {
    "application_name": "nave",
    "connect_timeout": 5,  # per host, so that a silent first host does not keep the second one from being asked
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# The same for the server: what a vanished hub holds locked is free again as soon. A hub that was stopped inside a
# transaction (frozen, swapped out) loses it after a minute, and fails at its commit instead of holding up the others.
_SERVER = {
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10s",
    # A plan that was kept from when the tables were empty reads the whole of them later on: measured, ten times slower
    # after 50,000 records. Every statement here looks up by key and takes milliseconds, so no plan is worth compiling.
    "plan_cache_mode": "force_custom_plan",
    "random_page_cost": "1.1",
    "jit": "off",
}


def served(url: sa.URL, *, durable: bool = True) -> sa.Engine:
    """An engine whose every wait has an end; what the URL says itself is left as it is.

    What is not `durable` is committed before it is on the disk: never torn, but perhaps forgotten at a power loss.
    """
    said = dict(url.query)
    seconds = _seconds(said.pop("answer_timeout", None))
    arguments = {name: value for name, value in _CLIENT.items() if name not in said}
    arguments["options"] = _options(seconds, said.pop("options", "")) + ("" if durable else " -c synchronous_commit=off")
    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg", query=said),
        connect_args=arguments,
        pool_size=8,
        max_overflow=24,
        pool_pre_ping=True,  # after a fail-over, every pooled connection is a dead one
        hide_parameters=True,
    )
    sa.event.listen(engine, "do_connect", _connecting(seconds + _GRACE_SECONDS))
    sa.event.listen(engine, "handle_error", _forget_useless)
    setattr(engine.dialect, "do_ping", hurried(engine.dialect.do_ping, _PING_SECONDS))  # noqa: B010 - of one dialect object
    return engine


def _seconds(said: Any) -> float:
    try:
        seconds = ANSWER_SECONDS if said is None else float(said)
    except (TypeError, ValueError) as error:
        raise ConfigError("NAVE-E003", reason=f"answer_timeout={said}") from error
    if not 1 <= seconds <= 86_400:
        raise ConfigError("NAVE-E003", reason=f"answer_timeout={said}: 1 to 86400 seconds")
    return seconds


def _options(seconds: float, said: Any) -> str:
    """Settings of each session; what the URL says comes last, and wins."""
    settings = {"statement_timeout": f"{int(seconds * 1000)}", **_SERVER}
    return " ".join([*(f"-c {name}={value}" for name, value in settings.items()), str(said)]).strip()


def _connecting(seconds: float) -> Any:
    def connect(_dialect: object, _record: object, arguments: Any, named: Any) -> Confirmed:
        connection = Confirmed.connect(*arguments, **named)
        connection.seconds = seconds
        connection.add_notice_handler(connection.notice)
        return connection

    return connect


def _forget_useless(context: sa.ExceptionContext) -> None:
    if of_no_more_use(context.original_exception):
        context.is_disconnect = True


class Confirmed(Punctual):
    """A connection whose commits are on the standby too, where there is a synchronous one."""

    _alone = False
    """The server gave up waiting for its standby: what it commits is on this machine only."""

    def commit(self) -> None:
        """Commit; an error where the server says "done" though a synchronous standby has not got it.

        It does so when somebody cancels the waiting, with no more than a warning. Whoever is told that something is
        safe relies on the standby, so this counts as an answer that was lost: it is repeated.
        """
        super().commit()
        if self._alone:
            self.close()
            raise psycopg.OperationalError("committed on the primary, but no synchronous standby has confirmed it")

    def notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        """What the server says beside its answers."""
        if diagnostic.source_function == "SyncRepWaitForLSN":
            self._alone = True

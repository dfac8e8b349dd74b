"""One connection with one channel, in a thread of its own, so that heartbeats go on whatever the hub is waiting for."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel

from nave.connectors.amqp.errors import is_login, translated
from nave.connectors.amqp.options import AmqpOptions
from nave.core.errors import ConfigError, NaveError, RetryableError
from nave.core.protocols import Setting

_CLOSING = 5.0
"""Seconds that a broker may take to say good-bye."""


class Link:
    """Opens one node after the other until one answers; when it is lost, it stays lost, and says why.

    `begin` is called in the link's thread with the open channel, and calls `ready` once all is set up. Whatever touches
    the channel later goes through `post`.
    """

    def __init__(self, connection: AmqpOptions, setting: Setting, begin: Callable[[Channel], None]) -> None:
        logging.getLogger("pika").setLevel(logging.CRITICAL)  # it would tell at length what is raised here anyway
        self._nodes = [_parameters(url, connection, setting) for url in (connection.url, *connection.others)]
        self.url = connection.url
        self._patience = connection.connect.total_seconds() * len(self._nodes) + 1.0
        self._begin = begin
        self._changed = threading.Condition()
        self._ready = False
        self._closing = False
        self._error: NaveError | None = None
        self._connection: SelectConnection | None = None
        self._loop = IOLoop()
        self._thread = threading.Thread(target=self._run, name=f"amqp {setting.name}", daemon=True)

    @property
    def error(self) -> NaveError | None:
        """Why it is lost; None while it is not."""
        return self._error

    def open(self) -> None:
        """Return once all is set up; raise what kept it from that."""
        self._thread.start()
        try:
            self.wait(lambda: self._ready, self._patience)
            if not self._ready:
                raise RetryableError("NAVE-K260", url=self.url, reason=f"> {self._patience:g} s")
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Say good-bye, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self.post(self._end)
            self._thread.join(2 * _CLOSING)

    def ready(self) -> None:
        """All is set up."""
        with self._changed:
            self._ready = True
            self._changed.notify_all()

    def notify(self) -> None:
        """Wake who waits: something of what they wait for may have changed."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done`, `seconds` at most; raises when the link is lost before."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not done():
                if self._error is not None:
                    raise self._error
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True

    def post(self, work: Callable[[], Any]) -> None:
        """Have something done in the link's thread; nothing happens if it is lost."""
        with suppress(Exception):  # a loop that is closed refuses
            self._loop.add_callback_threadsafe(work)

    def fail(self, error: NaveError) -> None:
        """The link is of no more use, and why; to be called in its thread."""
        with self._changed:
            if self._error is None:
                self._error = error
            self._changed.notify_all()
        self._end()

    def _run(self) -> None:
        try:
            self._next_node()
            self._loop.start()
        except Exception as error:
            with self._changed:
                self._error = self._error or translated(error, self.url)
        finally:
            with self._changed:
                self._error = self._error or RetryableError("NAVE-K265", url=self.url, reason="closed")
                self._changed.notify_all()
            with suppress(Exception):
                self._loop.close()

    def _next_node(self) -> None:
        node = self._nodes.pop(0)
        self._connection = SelectConnection(
            node,
            on_open_callback=lambda opened: opened.channel(on_open_callback=self._on_channel),
            on_open_error_callback=self._on_refusal,
            on_close_callback=self._on_close,
            custom_ioloop=self._loop,
        )

    def _on_refusal(self, _: Any, error: BaseException | str) -> None:
        cause = error if isinstance(error, BaseException) else pika.exceptions.AMQPConnectionError(error)
        if self._nodes and not self._closing and not is_login(cause):
            self._next_node()
        else:
            self._connection = None
            self.fail(translated(cause, self.url))

    def _on_channel(self, channel: Channel) -> None:
        channel.add_on_close_callback(lambda _, reason: self.fail(translated(reason, self.url)))
        self._begin(channel)

    def _on_close(self, _: Any, reason: BaseException) -> None:
        self._connection = None
        self.fail(translated(reason, self.url))

    def _end(self) -> None:
        connection = self._connection
        if connection is None or connection.is_closed:
            self._loop.call_later(0, self._loop.stop)  # pika closes its socket behind the call-back that we are in
        elif connection.is_open:
            connection.close()
            self._loop.call_later(_CLOSING, self._abort)
        elif self._closing and not connection.is_closing:
            self._abort()  # it is not even open yet

    def _abort(self) -> None:
        """Hang up on a broker that does not answer; pika has no public way, and would leave its socket open."""
        with suppress(Exception):
            if self._connection is not None:
                self._connection._adapter_disconnect_stream()
        self._loop.call_later(0.1, self._loop.stop)


def check(connection: AmqpOptions, setting: Setting) -> None:
    """Log in and open a channel, and nothing else."""
    link = Link(connection, setting, lambda _: link.ready())
    link.open()
    link.close()


def _parameters(url: str, connection: AmqpOptions, setting: Setting) -> pika.ConnectionParameters:
    parts = urlsplit(url)
    secure = parts.scheme == "amqps"
    seconds = connection.connect.total_seconds()
    return pika.ConnectionParameters(
        host=parts.hostname or "",
        port=parts.port or (5671 if secure else 5672),
        virtual_host=unquote(parts.path[1:]) or "/",
        credentials=_credentials(connection),
        heartbeat=round(connection.heartbeat.total_seconds()),
        ssl_options=pika.SSLOptions(_context(connection, setting), parts.hostname) if secure else None,
        connection_attempts=1,
        socket_timeout=seconds,
        stack_timeout=seconds,
        client_properties={"connection_name": f"nave {setting.name}"},
    )


def _credentials(connection: AmqpOptions) -> pika.PlainCredentials | pika.credentials.ExternalCredentials:
    if connection.user is None or connection.password is None:
        return pika.credentials.ExternalCredentials()
    return pika.PlainCredentials(connection.user, connection.password.get_secret_value())


def _context(connection: AmqpOptions, setting: Setting) -> ssl.SSLContext:
    """Certificates and host names are always verified."""
    named = connection.ca or connection.certificate
    try:
        context = ssl.create_default_context(cafile=setting.folder / connection.ca if connection.ca else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if connection.certificate is not None:
            named = connection.certificate
            key = setting.folder / connection.certificate_key if connection.certificate_key else None
            context.load_cert_chain(setting.folder / connection.certificate, key, password=_no_password)
    except OSError as error:
        raise ConfigError("NAVE-K267", file=str(named), reason=str(error)) from error
    return context


def _no_password() -> str:
    """A key with a password would be asked for on the terminal."""
    return ""

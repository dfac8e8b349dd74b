"""Hints only save waiting: they arrive where they can, and nothing breaks where they cannot."""

from __future__ import annotations

import gc
import socket
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from nave.workers.hints import Hints


@contextmanager
def listening(hints: Hints) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=hints.listen, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        hints.wake_all()
        thread.join(10)
        hints.close()
        assert not thread.is_alive()


def test_an_announcement_rings_the_bells_it_names_and_no_others() -> None:
    hints = Hints()
    apply, web, other = (hints.bell(name) for name in ("apply", "web.customers", "crm.customers"))

    with listening(hints):
        hints.announce(["apply", "web.customers"])

        assert apply.wait(10)
        assert web.wait(10)
        assert not other.wait(0)
        assert not apply.wait(0), "a bell rings once"


def test_what_is_announced_before_anybody_listens_is_heard_later() -> None:
    hints = Hints()
    hints.announce(["apply"])

    with listening(hints):
        assert hints.bell("apply").wait(10)


def test_two_hubs_of_one_process_do_not_wake_each_other() -> None:
    one, other = Hints(), Hints()

    with listening(one), listening(other):
        one.announce(["apply"])

        assert one.bell("apply").wait(10)
        assert not other.bell("apply").wait(0.1)


def test_a_deaf_one_drops_everything() -> None:
    hints = Hints(deaf=True)

    with listening(hints):
        hints.announce(["apply"])

        assert not hints.bell("apply").wait(0.1)


@contextmanager
def babbler() -> Iterator[int]:
    """A server on the broker's port that is no broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.recv(64)
                    connection.sendall(b"\x01\x00\x00\x00\x00\x00\x05this is no broker\xce" * 4)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        stop.set()
        thread.join(10)


@contextmanager
def client_may_leave_sockets() -> Iterator[None]:
    """The broker's client leaves the socket of a failed handshake to the garbage collector, which warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.mark.slow
def test_a_broker_that_is_none_breaks_nothing_and_this_process_still_hears_at_once() -> None:
    with client_may_leave_sockets(), babbler() as port:
        hints = Hints(f"amqp://guest:guest@127.0.0.1:{port}//")
        apply = hints.bell("apply")
        with listening(hints):
            for _ in range(200):  # each would wait for the broker's time-out, if announcing ever waited
                hints.announce(["apply"])
                assert apply.wait(10)

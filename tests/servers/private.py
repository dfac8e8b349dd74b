"""What private database servers have in common: whose process it is, when it answers, and a fresh database on it."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

_Programs = TypeVar("_Programs")
_numbers = count(1)


def account(wanted: str) -> str | None:
    """Who runs a server that refuses to run as root; None for whoever we are."""
    if os.getuid() != 0:
        return None
    return wanted if wanted in {entry.pw_name for entry in pwd.getpwall()} else "nobody"


@contextmanager
def process(command: Sequence[object], user: str | None, home: str, answers: Callable[[], bool]) -> Iterator[None]:
    """A server that answers, and is ended afterwards; it has a minute to begin."""
    words = [str(word) for word in command]
    server = subprocess.Popen(words, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home)
    try:
        deadline = time.monotonic() + 60
        while not answers():
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError(f"{Path(words[0]).name} did not start")
            time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait(30)


def named_or_own(
    variable: str,
    programs: _Programs | None,
    start: Callable[[_Programs], AbstractContextManager[str]],
    what: str,
) -> Iterator[str]:
    """The URL of a server: one that the environment names, or one of our own."""
    from tests.conftest import missing  # it loads before any plugin, and holds the one rule

    named = os.environ.get(variable)
    if named:
        yield named
    elif programs is None:
        missing(what)
    else:
        with start(programs) as url:
            yield url


@contextmanager
def fresh_database(server: str, *, driver: str, drop: str = "") -> Iterator[str]:
    """The URL of an empty database on a server; `drop` is what DROP DATABASE has to be told besides."""
    name = f"nave_test_{os.getpid()}_{next(_numbers)}"
    engine = sa.create_engine(sa.make_url(server).set(drivername=driver), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} {drop}"))
    engine.dispose()

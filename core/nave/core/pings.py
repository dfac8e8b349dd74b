"""How long a pool may ask whether a connection lives; knows no driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def hurried(ping: Callable[[Any], bool], seconds: float) -> Callable[[Any], bool]:
    """The pool's question whether a connection lives, which must not take as long as a statement may.

    Of any connection whose `seconds` say how long it waits.
    """

    def ask(connection: Any) -> bool:
        usual, connection.seconds = connection.seconds, seconds
        try:
            return ping(connection)
        finally:
            connection.seconds = usual

    return ask

"""A look at the messages of a queue: none is acknowledged, and the broker has all of them back when the look is over.

A broker counts that it has handed them out: they come again with `redelivered`, and a quorum queue adds one to the count of
deliveries that its own limit (`delivery-limit`) goes by. A queue that is not there is not made.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from nave.connectors.amqp.bodies import decoded
from nave.connectors.amqp.options import AmqpOptions, AmqpSourceOptions
from nave.connectors.amqp.source import Intake
from nave.core.protocols import Batch, Setting

_MESSAGES = 20
"""Messages that are taken into the hand, at most."""
_WAIT = 0.5


class Glance:
    """The first messages of one queue that nobody else has in hand."""

    def __init__(self, connection: AmqpOptions, options: AmqpSourceOptions, setting: Setting) -> None:
        self._options = options.model_copy(update={"declare": False, "prefetch": _MESSAGES})
        self._intake = Intake(connection, self._options, setting)

    def __enter__(self) -> Glance:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._intake.close()

    def read(self, after: str | None) -> Iterator[Batch]:
        """What is there, one batch per message; RetryableError when the broker is away."""
        self._intake.open()
        seen = 0
        while seen < _MESSAGES:
            taken = self._intake.take(_MESSAGES - seen, _WAIT)
            if not taken and self._intake.drained():
                return
            seen += len(taken)
            for message in taken:
                one = decoded(message, self._options)
                places = [(number, None) for number in range(1, len(one.records) + 1)]
                yield Batch(one.records, places, {"unit": "event", "queue": self._options.queue}, None, one.refused)

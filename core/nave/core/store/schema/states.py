"""What states a batch, a delivery, a link, a hold, a finding and a letter may be in, as the store keeps them."""

from __future__ import annotations

from enum import IntEnum


class Journal(IntEnum):
    """Where a landed batch is."""

    PENDING = 0
    DONE = 1
    HELD = 2
    DISCARDED = 3


class Due(IntEnum):
    """Where the delivery of one record to one sink is."""

    READY = 0
    LEASED = 1
    WAITING = 2
    DELIVERED = 3
    DEAD = 4
    SKIPPED = 5
    UNKNOWN = 6
    DISCARDED = 7


class Open(IntEnum):
    """Whether the other side of a link is there."""

    THERE = 0
    WAITING = 1
    """It is not, and its record waits for it."""
    PROMISED = 2
    """It is not, and its record went out with a placeholder."""


GONE = 0
"""What a golden record is merged into when no system has it any more."""


class Hold(IntEnum):
    """Where something that a brake holds is."""

    HELD = 0
    RELEASED = 1
    DISCARDED = 2
    GATHERING = 3
    """Its pass is being read, or was cut off and will be."""
    COMPLETE = 4
    """All of it is landed, and nobody has weighed it yet."""
    PASSED = 5
    """Within what the brakes allow."""
    REPLACED = 6
    """Cut off, and read again from the start."""


class Finding(IntEnum):
    """Where something that a person should know is."""

    OPEN = 0
    SETTLED = 1


class Reading(IntEnum):
    """How far an input, a file, has been read."""

    READING = 0
    WHOLE = 1
    TORN = 2
    """Something of it could not be read."""


class Letter(IntEnum):
    """Where a dead letter is."""

    OPEN = 0
    REPLAYED = 1
    DISCARDED = 2
    OVERTAKEN = 3
    """By a newer version of the record, which is delivered in its place."""

"""A record as comparisons want it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

V = TypeVar("V")


class Side(NamedTuple, Generic[V]):
    """One field of a prepared record."""

    value: V
    shift: float
    """How many bits more than usual an agreement in this very value weighs: rare ones more, common ones less."""


Prepared = Sequence[Side[Any] | None]
"""A record as comparisons want it, one place per field of the model; None where it has no value."""
Packed = list[Side[Any] | bytes | None]
"""The same as it was stored: a field is read when somebody compares it, and stays read."""

"""The one thing that can go wrong without an application: that there is none."""

from __future__ import annotations

from nave.core.errors import RetryableError

NOBODY = "NAVE-K350"
_COME_BACK = 60.0


def nobody(sink: str) -> RetryableError:
    """No subscriber is in this process: the application may be in another one, or not started yet."""
    return RetryableError(NOBODY, after=_COME_BACK, sink=sink)

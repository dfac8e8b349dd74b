"""Values from outside as they may stand in an error text: short, on one line, without control characters."""

from __future__ import annotations

LIMIT = 80


def short(value: object, limit: int = LIMIT) -> str:
    """The value as printable text of at most `limit` characters, cut with an ellipsis; never raises."""
    try:
        text = str(value)
    except Exception:
        text = f"<{type(value).__name__}>"
    head = text[: limit + 1]
    if not head.isprintable():
        head = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in head)
    return head if len(head) <= limit and len(text) <= limit else f"{head[: limit - 1]}…"


def first_line(error: object, limit: int = LIMIT) -> str:
    """What an error says first, or its class where it says nothing: later lines of drivers hold statements and values."""
    lines = str(error).strip().splitlines()
    return short(lines[0] if lines and lines[0] else type(error).__name__, limit)

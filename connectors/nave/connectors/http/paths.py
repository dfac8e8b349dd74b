"""Finds what stands at a dotted path of an answer."""

from __future__ import annotations

from typing import Any

MISSING = object()
"""What stands where nothing does."""


def at(answer: Any, path: str) -> Any:
    """The value at a dotted path, numbers being places in lists; MISSING where there is none."""
    for step in path.split("."):
        if isinstance(answer, dict) and step in answer:
            answer = answer[step]
        elif isinstance(answer, list) and step.isdecimal() and int(step) < len(answer):
            answer = answer[int(step)]
        else:
            return MISSING
    return answer

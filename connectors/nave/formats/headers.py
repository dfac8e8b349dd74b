"""Checks the names of columns before anything is read under them."""

from __future__ import annotations

from collections.abc import Sequence

from nave.core.errors import PermanentError
from nave.formats.limits import Limits
from nave.formats.rows import shown


def checked(names: Sequence[str], limits: Limits) -> list[str]:
    """The names as written; NAVE-D142 for a repeated one, NAVE-D143 for an empty one, NAVE-D145 for too many."""
    if len(names) > limits.csv_columns:
        raise PermanentError("NAVE-D145", found=len(names), limit=limits.csv_columns)
    seen: set[str] = set()
    for place, name in enumerate(names, 1):
        if not name.strip():
            raise PermanentError("NAVE-D143", column=place)
        if name in seen:
            raise PermanentError("NAVE-D142", name=shown(name), column=place)
        seen.add(name)
    return list(names)

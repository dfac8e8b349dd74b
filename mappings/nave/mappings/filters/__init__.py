"""All filters of the mapping language, by name."""

from __future__ import annotations

from functools import cache

from nave.mappings.filters.amounts import AMOUNT_FILTERS
from nave.mappings.filters.codes import CODE_FILTERS
from nave.mappings.filters.moments import MOMENT_FILTERS
from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings
from nave.mappings.filters.texts import TEXT_FILTERS

__all__ = ["Apply", "BadArgument", "Example", "Filter", "Surroundings", "filters"]


@cache
def filters() -> dict[str, Filter]:
    """Name -> filter, in the order of the reference page."""
    rows = (*TEXT_FILTERS, *AMOUNT_FILTERS, *MOMENT_FILTERS, *CODE_FILTERS)
    return {row.name: row for row in rows}

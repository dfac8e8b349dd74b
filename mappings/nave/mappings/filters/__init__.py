"""All filters of the mapping language, by name."""

from __future__ import annotations

from functools import cache

from nave.mappings.filters.amounts import AMOUNT_FILTERS
from nave.mappings.filters.chinese import CHINESE_FILTERS
from nave.mappings.filters.codes import CODE_FILTERS
from nave.mappings.filters.families import FAMILY_FILTERS
from nave.mappings.filters.links import LINK_FILTERS
from nave.mappings.filters.lists import LIST_FILTERS
from nave.mappings.filters.moments import MOMENT_FILTERS
from nave.mappings.filters.revisions import REVISION_FILTERS
from nave.mappings.filters.row import Apply, BadArgument, Example, Filter, Surroundings
from nave.mappings.filters.searches import SEARCH_FILTERS
from nave.mappings.filters.texts import TEXT_FILTERS
from nave.mappings.filters.wares import WARES_FILTERS

__all__ = ["Apply", "BadArgument", "Example", "Filter", "Surroundings", "filters"]


@cache
def filters() -> dict[str, Filter]:
    """Name -> filter, in the order of the reference page."""
    rows = (
        *TEXT_FILTERS,
        *SEARCH_FILTERS,
        *AMOUNT_FILTERS,
        *MOMENT_FILTERS,
        *CODE_FILTERS,
        *LIST_FILTERS,
        *FAMILY_FILTERS,
        *LINK_FILTERS,
        *CHINESE_FILTERS,
        *WARES_FILTERS,
        *REVISION_FILTERS,
    )
    return {row.name: row for row in rows}

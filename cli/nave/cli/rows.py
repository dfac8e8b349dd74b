"""Warns of rows in value tables that no mapping of the hub can ever ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nave.config import HubConfig, Problem
from nave.config.problems import shown
from nave.config.tables import Table
from nave.core.errors import NaveError
from nave.mappings import Asking, asked_by, unreached
from nave.workers.build import Compilation, spec_of

UNREACHED = "NAVE-M046"
_MOST = 20
"""Rows of one table that are told."""


def unreached_rows(compiled: Compilation) -> Iterator[Problem]:
    """A warning for each such row; nothing while a mapping does not compile, for it might be the one that asks."""
    config = compiled.config
    asked = list(_asked(config)) if _whole(compiled) else []
    for name in sorted({one.table for one in asked} & set(config.tables)):
        mine = [one for one in asked if one.table == name]
        rows = config.tables[name]
        for place in unreached(rows, mine)[:_MOST]:
            row = rows[place]
            code = row.get("from" if not all(one.outbound for one in mine) else "to", "")
            systems = ", ".join(sorted({one.system for one in mine}))
            params = {"table": name, "value": shown(code), "row_system": row.get("system") or "-", "systems": systems}
            yield Problem(_file(config, name), _line(rows, place), 1, UNREACHED, "warning", params=params)


def _line(rows: Sequence[Mapping[str, str]], place: int) -> int:
    """The line of a CSV file, or the row of a sheet, as a person's editor counts them."""
    return rows.places[place] if isinstance(rows, Table) else place + 2


def _file(config: HubConfig, name: str) -> str:
    """The table's own file."""
    suffix = next((one for one in (".csv", ".xlsx") if (config.folder / "tables" / f"{name}{one}").exists()), ".csv")
    return f"tables/{name}{suffix}"


def _whole(compiled: Compilation) -> bool:
    config = compiled.config
    return compiled.inbound.keys() == config.sources.keys() and compiled.outbound.keys() == config.sinks.keys()


def _asked(config: HubConfig) -> Iterator[Asking]:
    uses = [(one.mapping, one.system, False) for one in config.sources.values()]
    uses += [(one.mapping, one.system, True) for one in config.sinks.values()]
    for mapping, system, outbound in uses:
        try:
            spec = spec_of(config, mapping)
        except NaveError:
            spec = None
        if spec is not None:
            yield from asked_by(spec, system, outbound=outbound)

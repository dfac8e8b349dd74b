"""What the HTTP door lets others look at, answered from the store as the commands answer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nave.api.looks import Look
from nave.cli.around import as_data, looked_around
from nave.cli.bom import exploded, used
from nave.config import HubConfig
from nave.core.errors import PermanentError
from nave.core.store import Store

_MOST = 200


def looks(config: HubConfig, store: Store) -> dict[str, Look]:
    """The looks of a hub, by name."""

    def around(entity: str, key: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        with store.read() as tx:
            found = looked_around(tx, config, entity, key, min(_number(query, "limit", 20), _MOST))
        return {"records": [as_data(one, config) for one in found]}

    def explode(entity: str, key: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        with store.read() as tx:
            return exploded(tx, config, _named(entity, key), query, _levels(query))[0]

    def where_used(entity: str, key: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        with store.read() as tx:
            return used(tx, config, _named(entity, key), _levels(query), query.get("kind"), None, "all" in query)[0]

    return {"around": around, "explode": explode, "where_used": where_used}


def _named(entity: str, key: str) -> str:
    if entity not in ("bom", "product"):
        raise PermanentError("NAVE-E129", entity=entity[:80], known="bom, product")
    return f"{entity}/{key}"


def _levels(query: Mapping[str, str]) -> int | None:
    return _number(query, "levels", 0) or None


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    """A whole number of the query; what is none counts as not given."""
    text = query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else default

"""What is known of a sink's target from its mapping, its options and the books: what it is told, and whose its rows are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from nave.config import SinkConfig
from nave.core import deliveries
from nave.core.intake import EVERY
from nave.core.store import Store
from nave.mappings import OutboundMapping


def shown_keys(used: Iterable[Sequence[str]], when: str | None) -> frozenset[str]:
    """The systems whose keys a mapping reads; `EVERY` where it reads all, or may."""
    asks = when is not None and ("keys" in when or "systems" in when)
    paths = [path for path in used if not path or path[0] in ("keys", "systems")]
    whole = asks or any(len(path) < 2 for path in paths)
    return frozenset({EVERY}) if whole else frozenset(path[1] for path in paths)


def written_once(sink: SinkConfig, mapping: OutboundMapping) -> frozenset[str]:
    """The fields of a record that its target is told of in nothing but what it is given with a new row."""
    kept = sink.connection.spec.once(sink.options)
    always = _read_for(mapping, {*mapping.lineage} - kept)
    return frozenset() if "*" in always else _read_for(mapping, kept) - always


def put_away(sink: SinkConfig, mapping: OutboundMapping) -> frozenset[str]:
    """The fields of a record that its target shows otherwise once a row is put away."""
    return _read_for(mapping, sink.connection.spec.puts_away(sink.options))


def _read_for(mapping: OutboundMapping, targets: Iterable[str]) -> frozenset[str]:
    paths = {path for target in targets for path in mapping.lineage.get(target, ())}
    return frozenset(path.partition(".")[0].removesuffix("[]") for path in paths)


def holder(store: Store, sink: str, remote_key: str) -> str | None:
    """Whose row of a sink's target has this key, as `Setting.holder` is asked."""
    with store.read() as tx:
        return deliveries.holder(tx, sink, remote_key)

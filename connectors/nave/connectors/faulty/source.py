"""Reads a list of this process and disturbs it: duplicates, another order, pauses, failures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from random import Random
from types import TracebackType

from nave.connectors.faulty.errors import not_now, translating
from nave.connectors.faulty.options import FaultyOptions, FaultySourceOptions
from nave.connectors.targets import batches, target
from nave.core.protocols import Batch, Raw, Setting


class FaultySource:
    """The disturbed order is the same in every run of one seed, so a position stays true across a restart."""

    def __init__(self, connection: FaultyOptions, options: FaultySourceOptions, setting: Setting) -> None:
        self._connection = connection
        self._options = options
        self._name = setting.name

    def __enter__(self) -> FaultySource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def read(self, after: str | None) -> Iterator[Batch]:
        """Yield what is behind `after`, and fail where told: what came before the failure counts."""
        fixed = self._options.records
        records = fixed if fixed is not None else list(target(self._connection.name).inbox)
        with translating(after):
            disturbed = batches(self._disturbed(records), after, self._options.batch, self._name)
            for number, batch in enumerate(disturbed):
                if self._options.fail_after is not None and number >= self._options.fail_after:
                    raise not_now(number + 1)
                time.sleep(self._options.slow.total_seconds())
                yield batch

    def _disturbed(self, records: Sequence[Raw]) -> Sequence[Raw]:
        dice = Random(self._connection.seed)  # noqa: S311 - repeatable on purpose
        repeated = [again for record in records for again in self._copies(record, dice)]
        window = self._options.reorder
        if window < 2:
            return repeated
        shuffled: list[Raw] = []
        for start in range(0, len(repeated), window):
            part = repeated[start : start + window]
            dice.shuffle(part)
            shuffled += part
        return shuffled

    def _copies(self, record: Raw, dice: Random) -> Sequence[Raw]:
        return (record, record) if dice.random() < self._options.duplicates else (record,)

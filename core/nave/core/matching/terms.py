"""How common values and words are: the snapshot that training took, never the live store."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple


class Terms(NamedTuple):
    """The shares of records that have a term; one that is not listed is rare."""

    frequent: Mapping[str, float]
    rare: float

    def share(self, term: str) -> float:
        """The share of records with this term."""
        return self.frequent.get(term, self.rare)

    def bits(self, term: str) -> float:
        """What it tells that a record has this term."""
        return -math.log2(self.frequent.get(term, self.rare))

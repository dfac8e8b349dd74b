"""Scored identity: which records are probably the same thing, how probably, and why.

Weights are learned without labels (`train`), kept in a file that a person can read (`MatchModel`), and used by a `Scorer`
that depends on nothing but the two documents and that file.
"""

from nave.core.matching.checking import DEFAULTS, checked
from nave.core.matching.comparisons import COMPARISONS
from nave.core.matching.model import Block, FieldModel, Level, MatchModel
from nave.core.matching.scorer import Scored, Scorer, Step
from nave.core.matching.side import Packed, Prepared

__all__ = [
    "COMPARISONS",
    "DEFAULTS",
    "Block",
    "FieldModel",
    "Level",
    "MatchModel",
    "Packed",
    "Prepared",
    "Scored",
    "Scorer",
    "Step",
    "checked",
]

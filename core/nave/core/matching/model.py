"""What matching has learned about one entity, as a file that a person can read and correct."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from nave.core.errors import ConfigError


class Level(msgspec.Struct, frozen=True):
    """How often two values agree so far: among records that are the same thing (`m`), and among any two (`u`)."""

    name: str
    m: float
    u: float

    @property
    def bits(self) -> float:
        """The evidence of this level; below zero it speaks against."""
        return math.log2(self.m / self.u)


class FieldModel(msgspec.Struct, frozen=True):
    """One field: how it is compared, what each level of agreement weighs, and which values or words are common."""

    field: str
    """A dotted path, or several joined by `+` that are compared as one."""
    compare: str
    levels: tuple[Level, ...]
    """From the strongest agreement to none."""
    rare: float
    """The share of records that a value or word has which is not listed as frequent."""
    frequent: Mapping[str, float] = {}
    """Shares of records of the values or words that are common."""


class Block(msgspec.Struct, frozen=True):
    """One blocking rule: records that agree in all of these keys are compared."""

    keys: tuple[str, ...]
    """Fields, each with the kind of key that is made of it: `name:words`."""
    limit: float = 1.0
    """Words that more than this share of the records has make no key."""


class MatchModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that scoring knows besides the two documents."""

    entity: str
    records: int
    """How many records it was learned from."""
    prior: float
    """The probability that any two records are the same thing."""
    fields: tuple[FieldModel, ...]
    blocks: tuple[Block, ...]
    version: int = 1

    @classmethod
    def load(cls, text: str | bytes) -> MatchModel:
        """Read what `dump` wrote; ConfigError NAVE-E070 says what does not fit."""
        try:
            model = msgspec.json.decode(text, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError("NAVE-E070", reason=str(error)) from error
        fault = _fault(model)
        if fault:
            raise ConfigError("NAVE-E070", reason=fault)
        return model

    def dump(self) -> str:
        """The text of the file: JSON, one line per level, block and frequent value."""
        return _pretty(msgspec.to_builtins(self), 0) + "\n"


def _fault(model: MatchModel) -> str:
    shares = [("prior", model.prior)]
    for field in model.fields:
        shares += [(f"{field.field}.{one.name}.{part}", getattr(one, part)) for one in field.levels for part in ("m", "u")]
        shares += [(f"{field.field}.frequent.{word}", share) for word, share in field.frequent.items()]
        shares.append((f"{field.field}.rare", field.rare))
    wrong = next((name for name, share in shares if not 0 < share <= 1), None)
    return f"{wrong} has to be above 0 and at most 1" if wrong else ""


_FLAT = 2
"""Objects without objects in them, this deep, stand on one line."""


def _pretty(value: Any, depth: int) -> str:
    """JSON that is indented only as far as there is structure in it."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    if not any(isinstance(one, dict | list | tuple) for one in inner) and len(inner) <= 8:
        return json.dumps(value, ensure_ascii=False)
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        parts = [f"{pad}{json.dumps(name, ensure_ascii=False)}: {_pretty(one, depth + 1)}" for name, one in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{pad[2:]}}}"
    return "[\n" + ",\n".join(pad + _pretty(one, depth + 1) for one in value) + f"\n{pad[2:]}]"

"""Which faults a hub's files may ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nave.core.units import Duration, Share

_NO_TIME = timedelta()


class FaultyOptions(BaseModel):
    """A connection: the target behind the faults, and the seed that makes them the same in every run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="faulty", min_length=1, description="Which target of this process; made when first used")
    seed: int = Field(default=0, description="Same seed, same faults")


class FaultySourceOptions(BaseModel):
    """A source: the records of `memory`, disturbed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    records: list[dict[str, Any]] | None = Field(
        default=None, description="The records, in order; left out, the target's inbox is read"
    )
    batch: int = Field(default=1000, ge=1, le=1000, description="Records per batch, at most")
    fail_after: int | None = Field(
        default=None, ge=0, description="Each read yields this many batches, then fails in a way worth a retry"
    )
    duplicates: Share = Field(default=0.0, description="Share of the records that come twice")
    reorder: int = Field(default=0, ge=0, le=1000, description="Shuffle within windows of this many records")
    slow: Duration = Field(default=_NO_TIME, description="Pause before each batch")


class FaultySinkOptions(BaseModel):
    """A sink: the tables of `memory`, with faults counted by write call and by record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str | None = Field(default=None, description="The table's name; the sink's full name unless said")
    fail_every: int | None = Field(default=None, ge=1, description="Every n-th call does nothing and asks for a retry")
    fail_after: int | None = Field(default=None, ge=0, description="All calls after the first n fail likewise")
    drop_reply_every: int | None = Field(
        default=None, ge=1, description="Every n-th call takes effect, and then its answer is lost"
    )
    lost_reply: Literal["unknown", "retry"] = Field(
        default="unknown", description="How a lost answer shows: as unknown outcomes, or as a failed call"
    )
    reject_every: int | None = Field(default=None, ge=1, description="About every n-th key is refused, always the same ones")
    slow: Duration = Field(default=_NO_TIME, description="Pause before each call")

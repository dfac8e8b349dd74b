"""What a hub's files may say about connections, sources and sinks of type `memory`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class MemoryOptions(BaseModel):
    """A connection: the name of the target within the process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="memory", min_length=1, description="Which target of this process; made when first used")


class MemorySourceOptions(BaseModel):
    """A source: a fixed list, or whatever is in the target's inbox."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    records: list[dict[str, Any]] | None = Field(
        default=None, description="The records, in order; left out, the target's inbox is read"
    )
    batch: int = Field(default=1000, ge=1, le=1000, description="Records per batch, at most")


class MemorySinkOptions(BaseModel):
    """A sink: one table of the target."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str | None = Field(default=None, description="The table's name; the sink's full name unless said")

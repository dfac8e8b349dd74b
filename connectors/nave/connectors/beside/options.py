"""What a hub's files may say about connections, sources and sinks of type `beside`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BesideOptions(BaseModel):
    """A connection: the application has the connection, so there is nothing to say."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BesideSourceOptions(BaseModel):
    """A source: what the application publishes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_size: int = Field(
        default=16 * 2**20, ge=1024, le=2**30, description="Bytes of JSON that one call of `publish` may bring, at most"
    )


class BesideSinkOptions(BaseModel):
    """A sink: what the application subscribes to, or takes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    idempotent: bool = Field(
        default=True,
        description="Whether a subscriber may be called again with the same version after it was broken off; "
        "if not, a person is asked",
    )

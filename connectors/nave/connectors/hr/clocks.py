"""What a hub's files may say about sources of type `zkteco`: clocks that call the hub's door."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from nave.core.units import Duration, Size

Serial = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
"""As it stands on the clock and in its menu."""


class Device(BaseModel):
    """One clock."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: SecretStr | None = Field(default=None, description="The communication key that it shows when it begins")
    title: str | None = Field(default=None, max_length=200, description="Where it hangs, for people")


class ZktecoOptions(BaseModel):
    """A connection: clocks that call /iclock/ at the hub's door. There is nothing to reach."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ZktecoSourceOptions(BaseModel):
    """A source: what clocks push."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    devices: dict[Serial, Device] = Field(min_length=1, max_length=10_000, description="The clocks, by serial number")
    takes: Literal["punches", "people"] = Field(default="punches", description="What of them: punches, or who is enrolled")
    networks: list[IPv4Network | IPv6Network] = Field(
        default_factory=list, max_length=100, description="Where these clocks are: 10.2.0.0/16; left out, anywhere"
    )
    ahead: Duration = Field(
        default=timedelta(minutes=10), description="How far a clock may go fast before a punch counts as from the future"
    )
    max_body: Size = Field(default=4 * 2**20, ge=1, description="The largest block")

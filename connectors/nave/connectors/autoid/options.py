"""What a hub's files may say about connections and sources of type `epcis` and `lines`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import re2  # type: ignore[import-untyped]
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size

EventType = Literal["ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent", "AssociationEvent"]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^\S+$")]
_ADDRESS = re2.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_ORIGIN = re2.compile(r"https?://(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_OURS = frozenset({"code", "device", "at", "symbology"})


def _origin(text: str) -> str:
    if _ORIGIN.fullmatch(text) is None:
        raise ValueError("expected http:// or https:// with a host, and nothing behind it but a port")
    return text.lower()


Origin = Annotated[str, AfterValidator(_origin)]


class EpcisOptions(BaseModel):
    """A connection: one system that captures, and asks for what it captured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr | None = Field(
        default=None, description="What it must send as Authorization: Bearer; each system needs one of its own"
    )
    max_body: Size = Field(default=16 * 2**20, ge=1, description="The largest document, as it comes and unpacked")
    subscribers: list[Origin] = Field(
        default_factory=list,
        max_length=100,
        description="Who may be told of subscriptions inside the own network: [http://10.1.0.7:8080]; addresses of the "
        "internet always may",
    )


class EpcisSourceOptions(BaseModel):
    """A source: those of the captured events that fit all that is said here. One event may go to several sources."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: list[EventType] = Field(default_factory=list, description="Types of events; left out, all of them")
    steps: list[Word] = Field(
        default_factory=list, max_length=100, description="Business steps, short as in [shipping, receiving]; or all"
    )
    actions: list[Literal["ADD", "OBSERVE", "DELETE"]] = Field(default_factory=list, description="Actions; or all")
    dispositions: list[Word] = Field(default_factory=list, max_length=100, description="Dispositions; or all")


def _address(text: str) -> str:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError("expected host:port")
    return text


Address = Annotated[str, AfterValidator(_address)]


class LinesOptions(BaseModel):
    """A connection: a port that devices connect to, or devices that the hub connects to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: Address | None = Field(default=None, description="host:port that devices connect to")
    connect: list[Address] = Field(
        default_factory=list, max_length=100, description="host:port of devices that wait for the hub"
    )
    networks: list[str] = Field(
        default_factory=list, max_length=100, description="Whom listen lets in: 10.1.0.0/16; left out, this machine only"
    )
    devices: int = Field(default=64, ge=1, le=1000, description="Devices at once, at most; more are turned away")
    names: dict[str, str] = Field(
        default_factory=dict, max_length=1000, description="What a device at an address is called: {10.1.0.7: gate-1}"
    )
    idle: Duration = Field(
        default=timedelta(hours=12), description="A device that says nothing for so long is let go; it may come again"
    )

    @model_validator(mode="after")
    def _one_way(self) -> LinesOptions:
        if (self.listen is None) == (not self.connect):
            raise ValueError("expected listen or connect")
        if self.networks and self.listen is None:
            raise ValueError("expected networks beside listen only")
        return self


def _pattern(text: str) -> str:
    try:
        compiled = re2.compile(text)
    except re2.error as error:
        raise ValueError(f"expected a regular expression: {error}") from error
    if not compiled.groupindex or _OURS & set(compiled.groupindex):
        raise ValueError("expected named groups, such as (?P<material>[^|]+), none of them code, device, at or symbology")
    return text


class LinesSourceOptions(BaseModel):
    """A source: the scans of all devices, one to a line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reads: Literal["auto", "gs1", "text"] = Field(
        default="auto",
        description="auto: GS1, EPC and EAN codes are taken apart, all else is text; gs1: all else is refused; "
        "text: nothing is taken apart",
    )
    pattern: Annotated[str, Field(max_length=1000), AfterValidator(_pattern)] | None = Field(
        default=None, description="The plant's own labels, by named groups, asked first: (?P<material>[^|]+)\\|(?P<lot>.+)"
    )
    start: str = Field(default="", max_length=10, description="What stands before each scan: \\x02")
    end: str = Field(
        default="\n",
        min_length=1,
        max_length=10,
        description="What ends each scan: \\n, \\r, \\x03; \\r before \\n is dropped",
    )
    encoding: Literal["utf-8", "gb18030", "latin-1", "ascii"] = Field(default="utf-8", description="Of the scans")
    longest: int = Field(default=2_000, ge=1, le=100_000, description="Bytes of one scan, at most")
    ack: str = Field(default="\x06", max_length=100, description="What a device is told when its scan is safe; may be empty")
    nak: str = Field(default="\x15", max_length=100, description="What it is told when the scan was refused; may be empty")
    again: Literal["drop", "take"] = Field(
        default="drop",
        description="drop: a device that comes back and repeats what it said last is acknowledged, and not taken twice",
    )
    stamp: bool = Field(default=True, description="Add `at`, the moment when the scan came")
    batch: int = Field(default=200, ge=1, le=1000, description="Scans per commit, at most")
    quiet: list[str] = Field(default_factory=list, max_length=20, description="Lines that are no scans: heartbeats, NOREAD")

"""What a hub's files may say about connections, sources and sinks of type `soap`."""

from __future__ import annotations

import string
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.core.units import Duration, Size

_SENT = frozenset({"key", "version", "remote_key", "idempotency_key"})
_ASKED = frozenset({"since", "page", "cursor", "size"})


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected http:// or https:// with a host, without user or fragment")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("expected an address of ASCII characters without spaces")
    return text


def _filled(names: frozenset[str]) -> AfterValidator:
    """A text in whose braces only `names` stand."""

    def check(text: str) -> str:
        found = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        if not found <= names:
            raise ValueError(f"expected in braces: {', '.join(sorted(names))}")
        return text

    return AfterValidator(check)


Name = Annotated[str, Field(pattern=r"^[^\W\d][\w.\-]{0,199}$")]
"""The name of an operation, a port or an argument, as the WSDL has it."""
Dotted = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""Where a value is in an answer: data.id, items.0.code."""
Sent = Annotated[str, Field(max_length=1000), _filled(_SENT)]
Asked = Annotated[str, Field(max_length=1000), _filled(_ASKED)]
Answer = Literal["values", "xml", "json"]
Meaning = Literal["accepted", "duplicate", "rejected", "retry", "unknown"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wsdl(_Model):
    """The description of the service, as a file of the hub that nobody changes unseen."""

    file: Path = Field(description="The file; what it imports must lie in the same folder or below")
    sha256: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="What sha256sum says of the file; where it imports others, of what sha256sum says of them all",
    )


class UsernameToken(_Model):
    """How the hub logs in inside the message (WS-Security)."""

    user: str = Field(min_length=1, description="The name")
    password: SecretStr = Field(description="The password")
    form: Literal["text", "digest"] = Field(default="text", description="As it is, or as a digest with time and nonce")


class SoapOptions(_Model):
    """One service: its description from a file, its address from here and from nowhere else."""

    url: Annotated[str, AfterValidator(_url), Field(max_length=1000)] = Field(
        description="Where the service is; the address in the WSDL is not used"
    )
    wsdl: Wsdl = Field(description="The description of the service")
    port: Name | None = Field(default=None, description="Which port of the WSDL; the first that has the operation")
    version: Literal["1.1", "1.2"] | None = Field(default=None, description="Only ports of this version of SOAP")
    user: str | None = Field(default=None, min_length=1, description="User name for HTTP Basic")
    password: SecretStr | None = Field(default=None, description="Its password")
    token: UsernameToken | None = Field(default=None, description="A username token in the message")
    ca: Path | None = Field(default=None, description="Certificates to trust in place of the system's")
    connect: Duration = Field(default=timedelta(seconds=5), description="How long a connection may take to come about")
    idle: Duration = Field(default=timedelta(seconds=30), description="How long an answer may pause")
    timeout: Duration = Field(default=timedelta(seconds=120), description="How long one call may take altogether")
    max_answer: Size = Field(default=16 * 2**20, ge=1, description="The largest answer that is read")

    @model_validator(mode="after")
    def _complete(self) -> SoapOptions:
        if (self.user is None) != (self.password is None):
            raise ValueError("expected user and password together")
        return self


class Payload(_Model):
    """A record as one text: services whose only argument is a string with XML or JSON inside."""

    argument: Name = Field(description="The argument that takes the text")
    type: Literal["xml", "json"] = Field(default="xml", description="What the text is")
    record: str = Field(
        default="record",
        pattern=r"^[^\W\d][\w.\-]*(/[^\W\d][\w.\-]*)*$",
        description="XML: the record's element, with those around it",
    )


class Outcome(_Model):
    """What the answer says of the record; a value that no list has means rejected."""

    path: Dotted = Field(description="Where the answer says so: code, result.status")
    accepted: list[str] = Field(default_factory=lambda: ["true"], description="Values that mean yes")
    duplicate: list[str] = Field(default_factory=list, description="Values that mean: there already")
    retry: list[str] = Field(default_factory=list, description="Values that mean: not now")
    unknown: list[str] = Field(default_factory=list, description="Values that leave it open")


class Echo(_Model):
    """Where an answer repeats which record it is about: an answer for another one is nobody's receipt."""

    path: Dotted = Field(description="Where the answer repeats it: record.code")
    field: Dotted | None = Field(
        default=None, description="The field of the record that is repeated; left out, the record's key: {key}"
    )


class Probe(_Model):
    """How to ask whether the target has a record; it settles outcomes that are unknown."""

    operation: Name = Field(description="The operation that asks")
    arguments: dict[Name, Sent] = Field(description="What it is asked with")
    answer: Answer = Field(default="values", description="values, or a text with xml or json inside")
    found: Dotted = Field(description="Where the answer holds something if the record is there")
    version_path: Dotted | None = Field(default=None, description="Where the answer holds the version that was sent")
    missing: list[str] = Field(default_factory=list, description="Fault codes that mean: not there")

    @model_validator(mode="after")
    def _tells_versions(self) -> Probe:
        said = " ".join(self.arguments.values())
        if self.version_path is None and "{idempotency_key}" not in said and "{version}" not in said:
            raise ValueError("expected version_path, or {idempotency_key} or {version} in arguments, to tell versions apart")
        return self


class SoapSinkOptions(_Model):
    """A sink: one call per record."""

    operation: Name = Field(description="The operation that takes a record")
    payload: Payload | None = Field(default=None, description="Send the record as one text; without it, as typed arguments")
    into: Name | None = Field(default=None, description="The argument that takes the record; without it, its fields do")
    arguments: dict[Name, Sent] = Field(default_factory=dict, description="Further arguments, with {key}, {version} ...")
    answer: Answer = Field(default="values", description="values, or a text with xml or json inside")
    outcome: Outcome | None = Field(default=None, description="What the answer says of the record; else any answer is a yes")
    key_path: Dotted | None = Field(default=None, description="Where the answer holds the key that the target gave")
    echo: Echo | None = Field(
        default=None, description="Where the answer says which record it is about; one about another tells nothing"
    )
    faults: dict[str, Meaning] = Field(
        default_factory=dict, description="What a fault means, by its code or its detail's name"
    )
    idempotent: bool = Field(
        default=False,
        description="The target takes a repeat without a second effect; false makes lost answers unknown outcomes",
    )
    concurrency: int = Field(default=4, ge=1, le=64, description="Calls at the same time, at most")
    probe: Probe | None = Field(default=None, description="How to ask whether the target has a record")

    @model_validator(mode="after")
    def _one_way(self) -> SoapSinkOptions:
        if self.payload is not None and self.into is not None:
            raise ValueError("expected either payload or into")
        return self


class SoapSourceOptions(_Model):
    """A source: one operation, asked again and again."""

    operation: Name = Field(description="The operation that gives records")
    arguments: dict[Name, Asked] = Field(
        default_factory=dict, description="What it is asked with: {since}, {page}, {cursor}, {size}"
    )
    answer: Answer = Field(default="values", description="values, or a text with xml or json inside")
    records: Dotted | None = Field(default=None, description="Where the answer holds the records; without it, it is them")
    mark: Dotted | None = Field(default=None, description="The field of a record whose highest value is the next {since}")
    start: str = Field(default="", max_length=100, description="{since} at the first reading")
    overlap: Duration = Field(default=timedelta(0), description="How far {since} reaches back, for marks that are times")
    size: int = Field(default=500, ge=1, le=10_000, description="Records in a page; a shorter page is the last")
    first: int = Field(default=1, ge=0, description="The number of the first page")
    cursor_path: Dotted | None = Field(
        default=None, description="Where the answer holds the next {cursor}; nothing there ends it"
    )

    @model_validator(mode="after")
    def _pages(self) -> SoapSourceOptions:
        said = " ".join(self.arguments.values())
        if ("{cursor}" in said) != (self.cursor_path is not None):
            raise ValueError("expected {cursor} in arguments and cursor_path together")
        if "{cursor}" in said and "{page}" in said:
            raise ValueError("expected either {cursor} or {page}")
        if ("{since}" in said) != (self.mark is not None):
            raise ValueError("expected {since} in arguments and mark together")
        return self

    @property
    def paged(self) -> bool:
        """Whether pages are numbered."""
        return any("{page}" in text for text in self.arguments.values())

"""What a hub's files may say about connections, sources and sinks of type `http`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from nave.connectors.http.addresses import fields
from nave.connectors.oauth import OAuth
from nave.core.units import Duration, Size
from nave.core.webhooks import secret_key

_FIELDS = frozenset({"key", "version", "remote_key", "idempotency_key"})
_FRAMING = frozenset(
    {"host", "connection", "content-length", "content-type", "transfer-encoding", "expect", "te", "upgrade"}
)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("expected http:// or https:// with a host, without user, query or fragment")
    return text.rstrip("/")


def _path(text: str) -> str:
    if (
        not text.startswith("/")
        or text.startswith("//")
        or not fields(text) <= _FIELDS
        or not text.isprintable()
        or " " in text
    ):
        raise ValueError("expected a path such as /customers/{key}; in braces: key, version, remote_key, idempotency_key")
    return text


Path_ = Annotated[str, AfterValidator(_path), Field(max_length=1000)]
"""A path below the connection's url; what stands in braces is filled in, percent-encoded."""
Dotted = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""Where a value is in an answer: data.id, items.0.code."""
Code = Annotated[str, Field(max_length=200)] | int | bool
"""What a service answers: "S001", 0, true."""
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
RecordPath = Annotated[str, Field(pattern=r"^[^\s/<>&@#]+(/[^\s/<>&@#]+)*$", max_length=1024)]
"""The local name of an element, or the end of its path: Orders/Order."""
HeaderText = Annotated[str, Field(pattern=r"^[\x20-\x7e]{0,1000}$")]


class ApiKey(BaseModel):
    """A key that a service knows the hub by, in a header of the service's choice."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    header: Header = Field(default="X-API-Key", description="The header that holds it")
    value: SecretStr = Field(description="The key")

    @model_validator(mode="after")
    def _no_framing(self) -> ApiKey:
        if self.header.lower() in _FRAMING:
            raise ValueError("expected a header that does not frame the request")
        return self


class Nonce(BaseModel):
    """A value against forged requests that a service gives to its session, and wants back with each call that sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path_ = Field(description="What to GET for it: /PTC/GetCSRFToken()")
    value: Dotted = Field(description="Where the answer holds it: NonceValue")
    header: Header = Field(description="The header that it goes into: CSRF_NONCE")

    @model_validator(mode="after")
    def _free(self) -> Nonce:
        if self.header.lower() in _FRAMING | {"authorization", "cookie"}:
            raise ValueError("expected a header that does not frame the request")
        return self


class HttpOptions(BaseModel):
    """A connection: one web service. Events that are pushed in need none of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_url)] | None = Field(
        default=None, description="Where the service is; needed for sinks. The service's certificate is always verified"
    )
    token: SecretStr | None = Field(default=None, description="Sent as Authorization: Bearer")
    user: str | None = Field(default=None, description="Sent with the password as Authorization: Basic")
    password: SecretStr | None = Field(default=None, description="See user")
    oauth: OAuth | None = Field(default=None, description="Fetch tokens with OAuth 2 client credentials, or a refresh token")
    api_key: ApiKey | None = Field(default=None, description="A key in a header, by itself or beside another login")
    nonce: Nonce | None = Field(
        default=None, description="A value to fetch and to send along with the cookies that came with it, besides a login"
    )
    ca: Path | None = Field(default=None, description="A file with the certificates to trust in place of the system's")
    check: Path_ | None = Field(
        default=None,
        description="What to GET to see whether the login is good, for `nave connector check` and `nave doctor`",
    )
    public: bool = Field(
        default=False, description="The service is on the internet: addresses of private networks are refused"
    )
    connect: Duration = Field(default=timedelta(seconds=5), description="How long to wait for a connection")
    idle: Duration = Field(default=timedelta(seconds=30), description="How long an answer may pause")
    timeout: Duration = Field(default=timedelta(seconds=120), description="How long one call may take altogether")

    @model_validator(mode="after")
    def _one_way_in(self) -> HttpOptions:
        logins: list[object] = [self.token, self.user, self.oauth]
        if self.api_key is not None and self.api_key.header.lower() == "authorization":
            logins.append(self.api_key)
        if sum(login is not None for login in logins) > 1:
            raise ValueError("expected one of token, user with password, oauth, and a key in Authorization")
        if (self.user is None) != (self.password is None):
            raise ValueError("expected user and password together")
        return self


class Signature(BaseModel):
    """How a sender signs its requests: by Standard Webhooks, or, with `header`, by an HMAC of the body in that header."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: SecretStr = Field(description="What both sides know; without header it is whsec_ and 24 to 64 bytes in base64")
    former: list[SecretStr] = Field(
        default_factory=list, max_length=9, description="Other secrets that count as well, while they are being changed"
    )
    tolerance: Duration = Field(
        default=timedelta(minutes=5), description="How far the sender's clock may be from the hub's; without header only"
    )
    header: Header | None = Field(default=None, description="The header that holds the HMAC: X-Hub-Signature-256")
    prefix: Annotated[str, Field(max_length=100, pattern=r"^[\x21-\x7e]*$")] = Field(
        default="", description="What stands before the HMAC in the header: sha256="
    )
    algorithm: Literal["sha256", "sha384", "sha512", "sha1"] = Field(default="sha256", description="The hash")
    encoding: Literal["hex", "base64"] = Field(default="hex", description="How the HMAC is written")

    @property
    def secrets(self) -> list[str]:
        """All that count, the present one first."""
        return [one.get_secret_value() for one in (self.secret, *self.former)]

    @model_validator(mode="after")
    def _sound(self) -> Signature:
        if self.header is None:
            for secret in self.secrets:
                secret_key(secret)
            if self.model_fields_set & {"prefix", "algorithm", "encoding"}:
                raise ValueError("expected header beside prefix, algorithm and encoding")
        elif not all(self.secrets) or "tolerance" in self.model_fields_set:
            raise ValueError("expected secrets that are not empty, and no tolerance beside header: no moment is signed")
        return self


class HttpSourceOptions(BaseModel):
    """A source: events that a system pushes to /events/{source}."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr | None = Field(default=None, description="What the sender must send as Authorization: Bearer")
    signature: Signature | None = Field(default=None, description="How the sender must sign each request")
    xml: RecordPath | None = Field(
        default=None, description="The element that is one record, for bodies in XML; left out, only JSON is taken"
    )
    max_body: Size = Field(default=16 * 2**20, ge=1, description="The largest request, as it comes and unpacked")


class Webhook(BaseModel):
    """Signs what is sent by Standard Webhooks: webhook-id, webhook-timestamp and webhook-signature go along."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: SecretStr = Field(description="whsec_ and 24 to 64 bytes in base64")
    former: list[SecretStr] = Field(
        default_factory=list, max_length=9, description="Other secrets to sign with as well, while they are being changed"
    )

    @property
    def keys(self) -> tuple[bytes, ...]:
        """What to sign with."""
        return tuple(secret_key(one.get_secret_value()) for one in (self.secret, *self.former))

    @model_validator(mode="after")
    def _sound(self) -> Webhook:
        assert self.keys
        return self


class Success(BaseModel):
    """When an answer with a good status is good indeed, for services that report failures with 200."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Dotted = Field(description="Where the answer says so: IsSuccess, result.code")
    equals: str | int | bool = Field(default=True, description="What it says then")
    absent: bool = Field(default=False, description="It is good where nothing stands at path, or null, or there is no body")

    @model_validator(mode="after")
    def _one_test(self) -> Success:
        if self.absent and "equals" in self.model_fields_set:
            raise ValueError("expected either equals or absent")
        return self


class Outcomes(BaseModel):
    """What the codes in answers mean, for services that say in the body what became of a record, whatever the status."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Dotted = Field(description="Where the answer holds the code: code, result.status")
    accepted: list[Code] = Field(min_length=1, description="Codes that mean: done")
    duplicate: list[Code] = Field(default_factory=list, description="Codes that mean: it was there already")
    rejected: list[Code] = Field(default_factory=list, description="Codes that mean: never, with these values")
    retry: list[Code] = Field(default_factory=list, description="Codes that mean: not done, try later")

    @model_validator(mode="after")
    def _one_meaning(self) -> Outcomes:
        codes = [as_code(one) for one in [*self.accepted, *self.duplicate, *self.rejected, *self.retry]]
        if len(set(codes)) < len(codes):
            raise ValueError("expected each code once; 0 and '0' are the same code")
        return self


class Echo(BaseModel):
    """Where an answer repeats which record it is about: an answer for another one is nobody's receipt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Dotted = Field(description="Where the answer repeats it: data.code")
    field: Dotted | None = Field(
        default=None, description="The field of the record that is repeated; left out, the record's key: {key}"
    )


def as_code(value: object) -> str:
    """A code as text: services write 0 and "0", true and "true" for the same thing."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class ProbeOptions(BaseModel):
    """How to ask whether the target has a record; it settles outcomes that are unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path_ = Field(description="What to GET; 404 and 410 mean that it is not there")
    items: Dotted | None = Field(
        default=None, description="Where the answer holds the list of those that fit; the first counts, an empty one says no"
    )
    key_path: Dotted | None = Field(
        default=None,
        description="Where it holds the key that the target gave, counted from the item; the sink's if left out",
    )
    version_path: Dotted | None = Field(default=None, description="Where the answer holds the version that was sent")

    @model_validator(mode="after")
    def _tells_versions(self) -> ProbeOptions:
        if self.version_path is None and "{idempotency_key}" not in self.path and "{version}" not in self.path:
            raise ValueError("expected version_path, or {idempotency_key} or {version} in path, to tell versions apart")
        return self


class Update(BaseModel):
    """How a record is changed that the target has already, where that is another call than making one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path_ = Field(description="Where to send: /customers/{remote_key}")
    method: Literal["POST", "PUT", "PATCH"] = Field(default="PUT", description="How to send")
    key: Dotted = Field(
        description="Where the body holds the target's own key: the mapping puts it there if it knows it, else the hub does"
    )


class HttpSinkOptions(BaseModel):
    """A sink: one JSON document per record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path_ = Field(description="Where to send: /customers or /customers/{key}")
    method: Literal["POST", "PUT", "PATCH"] = Field(default="POST", description="How to send")
    update: Update | None = Field(
        default=None, description="Another call for records that the target has: it gave a key, or the mapping knows one"
    )
    headers: dict[Header, HeaderText] = Field(default_factory=dict, description="Sent with each call; no secrets here")
    success: Success | None = Field(default=None, description="What else must hold for an answer to be good")
    outcomes: Outcomes | None = Field(default=None, description="What the codes in answers mean, in place of success")
    retired: Literal["keep", "delete"] = Field(
        default="keep",
        description="What happens in the target to a record that became part of another: nothing is sent, or DELETE",
    )
    delete_path: Path_ | None = Field(default=None, description="Where DELETE goes, if not to path; it must name one record")
    key_path: Dotted | None = Field(default=None, description="Where the answer holds the key that the target gave")
    echo: Echo | None = Field(
        default=None, description="Where the answer says which record it is about; one about another tells nothing"
    )
    idempotency_header: Header = Field(default="Idempotency-Key", description="The header for the idempotency key")
    version_header: Header | None = Field(default="Nave-Version", description="The header for the version; null for none")
    webhook: Webhook | None = Field(default=None, description="Sign each call as a Standard Webhook")
    idempotent: bool = Field(
        default=True,
        description="The target takes the same idempotency key once only; false makes lost answers unknown outcomes",
    )
    conflict: Literal["duplicate", "rejected", "retry"] = Field(
        default="rejected", description="What 409 means: it has it already, it refuses it, or it is still busy with it"
    )
    numbers: Literal["text", "number"] = Field(default="number", description="How decimals are written")
    concurrency: int = Field(default=8, ge=1, le=256, description="Calls at the same time, at most")
    max_answer: Size = Field(default=2**20, ge=1, description="The largest answer that is read")
    probe: ProbeOptions | None = Field(default=None, description="How to ask whether the target has a record")

    @model_validator(mode="after")
    def _deletes_one(self) -> HttpSinkOptions:
        if self.retired == "keep" and self.delete_path is not None:
            raise ValueError("expected retired: delete beside delete_path")
        if self.retired == "delete" and not {"key", "remote_key"} & fields(self.delete_path or self.path):
            raise ValueError("expected {key} or {remote_key} in path or delete_path, for DELETE to name one record")
        return self

    @model_validator(mode="after")
    def _one_judge(self) -> HttpSinkOptions:
        if self.success is not None and self.outcomes is not None:
            raise ValueError("expected either success or outcomes")
        return self

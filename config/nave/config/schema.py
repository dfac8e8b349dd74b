"""The shape of a hub's own files, as documented pydantic models: `hub.yaml`, a system, an entity's rules.

What a connector adds to a connection, a source or a sink is described by the connector's own models; the keys here
are the ones that mean the same for all of them.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from nave.core.seal import seal_key
from nave.core.units import Duration, Rate, Share, Size

_NAME = r"^[a-z][a-z0-9_-]{0,62}$"
_FIELD_NAME = r"^[a-z][a-z0-9_]{0,62}$"
_RESERVED = frozenset({"nave", "hub", "all"})
_RESERVED_FIELDS = frozenset({"id", "version", "keys", "systems", "default", "groups", "blank"})
RULES = ("most_recent", "most_complete", "longest", "union")


def is_name(text: str) -> bool:
    """Whether something in a hub can be called this."""
    return re.fullmatch(_NAME, text, re.ASCII) is not None and text not in _RESERVED


def _numbered(value: str) -> str:
    if value.count("{n}") != 1 or "/" in value:
        raise ValueError("expected a file name with {n} in it once, such as orders_{n}.xml")
    return value


def _inside_file(value: str) -> str:
    parts = value.split("/")
    if len(parts) < 2 or not all(parts):
        raise ValueError("expected a path such as Trailer/Amount")
    return value


def _days(value: str) -> str:
    named = value.endswith(".csv") and not value.startswith("/") and ".." not in value.split("/") and "\\" not in value
    if value not in ("daily", "workdays") and not named:
        raise ValueError("expected daily, workdays, or a CSV file inside the hub's folder")
    return value


def _folder(value: str) -> str:
    parts = value.split("/")
    if any(part in ("", ".", "..") or part.startswith(".nave") for part in parts) or "\0" in value or "\\" in value:
        raise ValueError("expected the name of a folder inside the connection's folder, such as receipts")
    return value


def _called(pattern: str, reserved: frozenset[str]) -> PlainValidator:
    def check(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise PydanticCustomError("name_form", "expected a name of small letters, digits, - and _")
        if value in reserved:
            raise PydanticCustomError("name_reserved", "this name is reserved")
        return value

    return PlainValidator(check)


def _time_zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise PydanticCustomError("time_zone", "not a time zone") from error


def _cron(value: str) -> str:
    from cronsim import CronSim, CronSimError

    try:
        next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration) as error:
        raise PydanticCustomError("cron", "not a cron expression") from error
    return value


def _url(*schemes: str) -> AfterValidator:
    def check(value: str) -> str:
        scheme = value.partition("://")[0].partition("+")[0]
        if "://" not in value or scheme not in schemes:
            raise PydanticCustomError("url_scheme", "unknown kind of URL", {"allowed": ", ".join(schemes)})
        return value

    return AfterValidator(check)


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise PydanticCustomError("listen_form", "expected host:port")
    return value


def _in_both_languages(value: Any) -> Any:
    return {"en": value, "zh": value} if isinstance(value, str) else value


def _rule(value: Any) -> Any:
    if (isinstance(value, list) and value) or value in RULES:
        return value
    raise PydanticCustomError("survivorship_rule", "not a rule", {"allowed": ", ".join(RULES)})


def _key_fields(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, _called(_NAME, _RESERVED), WithJsonSchema({"type": "string", "pattern": _NAME})]
"""What something is called in this hub: small letters, digits, `-` and `_`, a letter first, at most 63."""
FieldName = Annotated[
    str, _called(_FIELD_NAME, _RESERVED_FIELDS), WithJsonSchema({"type": "string", "pattern": _FIELD_NAME})
]
"""A field of an entity: no `-`, so that expressions can name it."""
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Cron = Annotated[str, AfterValidator(_cron)]
Rule = Annotated[
    Literal["most_recent", "most_complete", "longest", "union"] | tuple[str, ...],
    BeforeValidator(
        _rule, json_schema_input_type=Literal["most_recent", "most_complete", "longest", "union"] | tuple[str, ...]
    ),
]
"""How one value is chosen among what the systems say; a list names the trusted systems, most trusted first."""
KeyFields = Annotated[tuple[str, ...], BeforeValidator(_key_fields, json_schema_input_type=str | tuple[str, ...])]


class FileModel(BaseModel):
    """A part of a hub file: unknown keys are refused, values are never shown by pydantic itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, regex_engine="rust-regex")


class Texts(FileModel):
    """A text for people, by language."""

    en: str | None = Field(default=None, description="English")
    zh: str | None = Field(default=None, description="Chinese")


Title = Annotated[Texts, BeforeValidator(_in_both_languages, json_schema_input_type=str | Texts)]


class HttpFile(FileModel):
    """The door for events."""

    listen: Annotated[str, AfterValidator(_listen)] = Field(
        default="127.0.0.1:8080", description="Address and port; reachable from this machine only unless changed"
    )
    max_body: Size = Field(default=16 * 2**20, description="Largest request that is read")
    max_waiting: int = Field(
        default=10_000, ge=1, le=1_000_000, description="Requests that may wait to be landed before senders are told 503"
    )
    max_waiting_size: Size = Field(default=32 * 2**20, ge=1, description="Bytes of all requests that are not yet answered")
    max_connections: int = Field(default=1000, ge=1, le=100_000, description="Connections at once")
    token: SecretStr | None = Field(default=None, description="What others than this machine must send to see /status")
    stewards: dict[str, SecretStr] = Field(
        default={}, description="Who may decide about identity over HTTP: a name, and what that person's program must send"
    )
    seal_keys: list[SecretStr] = Field(
        default=[],
        max_length=10,
        description="What encrypts the secrets that others give the hub to keep, each 32 bytes in base64; the first is used",
    )

    @model_validator(mode="after")
    def _sealing(self) -> HttpFile:
        for key in self.seal_keys:
            seal_key(key.get_secret_value())
        return self


class RetentionFile(FileModel):
    """How long the hub keeps what it could do without."""

    journal: Duration = Field(default=timedelta(days=90), description="Landed batches, raw")
    epcis: Duration | None = Field(default=None, description="Events captured at the EPCIS door; for ever if left out")


class AuditFile(FileModel):
    """What vouches for the audit outside the store."""

    heads: str = Field(
        default="audit-heads.jsonl", min_length=1, description="The file of the chain's heads; relative to the hub's folder"
    )
    keys: list[SecretStr] = Field(
        default=[],
        max_length=10,
        description="What signs the heads, each 32 bytes in base64; the first is used, each of them is believed",
    )

    @model_validator(mode="after")
    def _signing(self) -> AuditFile:
        for key in self.keys:
            seal_key(key.get_secret_value())
        return self


class LimitsFile(FileModel):
    """Bounds that protect the hub."""

    attempts: int = Field(default=12, ge=1, le=1000, description="Tries of one delivery before it is a dead letter")
    journal: int = Field(
        default=100_000,
        ge=1,
        le=100_000_000,
        description="Records that may wait to be applied before nothing more is let in",
    )
    journal_size: Size = Field(default=2**30, ge=1, description="Bytes that may wait to be applied, as the store keeps them")


class ClosedFile(FileModel):
    """Books that are closed: what is dated then is not told to targets again without a second person."""

    until: date = Field(description="The last day that is closed")


class EntityClosedFile(ClosedFile):
    """The same for one entity."""

    field: str = Field(default="date", description="The field that dates its records")


class HubFile(FileModel):
    """`hub.yaml`: the hub itself."""

    hub: Name = Field(description="The name of this hub; part of the type and source of the events it sends")
    title: Title = Field(default=Texts(), description="What people call it")
    store: Annotated[str, _url("sqlite", "postgresql")] = Field(
        default="sqlite:///nave.db", description="Database of the hub; a relative SQLite path starts at the hub's folder"
    )
    broker: Annotated[str, _url("memory", "amqp", "amqps")] = Field(
        default="memory://", description="Carries hints between workers; nothing depends on it for being right"
    )
    http: HttpFile = Field(default=HttpFile(), description="The door for events")
    retention: RetentionFile = Field(default=RetentionFile(), description="How long things are kept")
    limits: LimitsFile = Field(default=LimitsFile(), description="Bounds that protect the hub")
    closed: ClosedFile | None = Field(default=None, description="Until when the books are closed, for all that has a date")
    audit: AuditFile = Field(default=AuditFile(), description="What vouches for the record of who did what")


class ConnectionFile(FileModel):
    """One way to reach a system; the connector's own options stand beside `type`."""

    type: str = Field(description="Name of an installed connector")


class SourceLimitsFile(FileModel):
    """How much one source may bring that is pushed."""

    rate: Rate | None = Field(default=None, description="At most this many records in a time, on the average")
    journal: int | None = Field(default=None, ge=1, description="Records of this source that may wait to be applied")


class SequenceFile(FileModel):
    """Files that are numbered without gaps: `file` or `path` says where the number stands."""

    file: Annotated[str, AfterValidator(_numbered)] | None = Field(
        default=None, description="The file's name with {n} for its number: orders_{n}.xml"
    )
    path: Annotated[str, AfterValidator(_inside_file)] | None = Field(
        default=None, description="Where the number stands in the file: Header/Number"
    )
    gaps: Literal["refuse", "report"] = Field(
        default="refuse", description="Whether a file behind a gap is refused, or taken in and the gap a finding"
    )

    @model_validator(mode="after")
    def _one(self) -> SequenceFile:
        if (self.file is None) == (self.path is None):
            raise ValueError("expected either file or path")
        return self


class ExpectFile(FileModel):
    """What a file must add up to before anything of it is taken in, and when it should have come."""

    control_total: Annotated[str, AfterValidator(_inside_file)] | None = Field(
        default=None, description="Where the file says its sum: Trailer/Amount"
    )
    field: str | None = Field(default=None, min_length=1, description="The field of its records that adds up to it")
    count: Annotated[str, AfterValidator(_inside_file)] | None = Field(
        default=None, description="Where the file says how many records it has: Trailer/Count"
    )
    sequence: SequenceFile | None = Field(default=None, description="Files are numbered without gaps")
    by: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = Field(
        default=None, description="When it should have come, in the system's time zone: 06:30"
    )
    days: Annotated[str, AfterValidator(_days)] = Field(
        default="daily", description="daily, workdays (Monday to Friday), or a CSV file of the hub with a calendar"
    )
    early: Duration = Field(default=timedelta(0), description="How long before midnight counts for the day")

    @model_validator(mode="after")
    def _together(self) -> ExpectFile:
        if (self.control_total is None) != (self.field is None):
            raise ValueError("control_total and field go together")
        return self

    @property
    def looks_inside(self) -> bool:
        """Whether a file must be read before it is taken in."""
        return bool(self.control_total or self.count or self.sequence)


class CallFile(FileModel):
    """What a call that tells of receipts says, besides the keys of the sink that it goes through."""

    mapping: str | None = Field(default=None, description="A mapping `from: receipt` that makes what is told")
    each: Literal["whole", "line"] = Field(
        default="whole", description="One call for the whole file or request, or one for each of its records"
    )
    when: Literal["taken_up", "complete"] = Field(
        default="taken_up", description="Tell once every record was taken up, or once none is waiting, held or pending"
    )

    @model_validator(mode="after")
    def _of_mapping(self) -> CallFile:
        if self.mapping is None and self.model_fields_set & {"each", "when"}:
            raise ValueError("expected mapping beside each and when")
        return self


class ReceiptFile(FileModel):
    """Says what became of each line, and again whenever that changes, until every line has come to something."""

    file: Annotated[str, AfterValidator(_folder)] | None = Field(
        default=None,
        description="As a file; beside: where the file was dropped; or a folder inside the connection's, such as receipts",
    )
    format: Literal["json", "csv", "xml"] = Field(default="json", description="How the file is written")
    callback: dict[str, Any] | None = Field(
        default=None,
        description="By a call: `to` names a connection of this system, beside the keys that a sink of it has; with "
        "`mapping` in a form of your own, `each: line` by itself, `when: complete` once nothing of it is open",
    )
    table: dict[str, Any] | None = Field(
        default=None,
        description="In a table, a row for each line: `to` names a connection of this system, beside the keys of its sinks",
    )

    @model_validator(mode="after")
    def _somewhere(self) -> ReceiptFile:
        if self.file is None and self.callback is None and self.table is None:
            raise ValueError("expected file, callback or table")
        return self


class RejectsFile(FileModel):
    """The refused lines of a file in its own layout, each with its reason, to be mended and dropped again."""

    folder: Annotated[str, AfterValidator(_folder)] = Field(
        default="rejects", description="A folder inside the connection's"
    )


class FutureFile(FileModel):
    """How far what a record says may lie in the future, by the hub's clock when it came."""

    field: Annotated[str, Field(pattern=_FIELD_NAME)] = Field(description="The field of the entity that says when: at")
    tolerance: Duration = Field(default=timedelta(minutes=10), description="How far clocks may go fast")


class SourceFile(FileModel):
    """One stream of records in; the connector's own options stand beside these."""

    entity: str = Field(description="Canonical entity of the records")
    from_: str = Field(alias="from", description="Connection of this system")
    mapping: str = Field(description="Mapping file, without `mappings/` and `.yaml`")
    every: Duration | None = Field(default=None, description="Read this often")
    schedule: Cron | None = Field(default=None, description="Read at these times (cron), in the system's time zone")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records that land together")
    limits: SourceLimitsFile = Field(default=SourceLimitsFile(), description="How much it may bring, where it is pushed")
    snapshot: bool = Field(
        default=False, description="Each file, or each answer of its query, says all there is: what it does not name is gone"
    )
    expect: ExpectFile | None = Field(default=None, description="What a file must add up to, and when it should be there")
    receipt: ReceiptFile | None = Field(default=None, description="Where to tell what became of each file")
    rejects: RejectsFile | None = Field(
        default=None, description="Where to put the refused lines of each file, to be mended"
    )
    future: FutureFile | None = Field(
        default=None, description="Refuse records that say of something to come that it has happened; left out, none"
    )


class SinkLimitsFile(FileModel):
    """How much a target can take."""

    rate: Rate | None = Field(default=None, description="At most this many records in a time")
    batch: int = Field(default=1000, ge=1, le=1000, description="Records in one write, and no more than a second's worth")
    concurrency: int | None = Field(default=None, ge=1, le=256, description="Calls at the same time, where there are calls")
    timeout: Duration | None = Field(default=None, description="How long one call may take, where there are calls")


class SinkFile(FileModel):
    """One stream of records out; the connector's own options stand beside these."""

    entity: str = Field(description="Canonical entity of the records")
    to: str = Field(description="Connection of this system")
    mapping: str = Field(description="Mapping file, without `mappings/` and `.yaml`")
    when: str | None = Field(default=None, description="Condition on the golden record; others are not delivered")
    limits: SinkLimitsFile = Field(default=SinkLimitsFile(), description="How much the target can take")


class SystemFile(FileModel):
    """`systems/NAME.yaml`: one outside system, how to reach it, what comes from it, what goes to it."""

    system: Name = Field(description="The system's name; the file's name says the same")
    title: Title = Field(default=Texts(), description="What people call it")
    time_zone: TimeZone = Field(default="UTC", description="IANA zone of its times that carry none, such as Asia/Shanghai")
    connections: dict[Name, dict[str, Any]] = Field(default={}, description="Ways to reach it, by name")
    sources: dict[Name, dict[str, Any]] = Field(default={}, description="What comes from it, by name")
    sinks: dict[Name, dict[str, Any]] = Field(default={}, description="What goes to it, by name")


class FieldFile(FileModel):
    """One field of an entity."""

    type: Any = Field(description="A type's name, {ref: entity}, {list: type} or {object: {name: field}}")
    required: bool = Field(default=False, description="Whether a record is refused without it")
    description: str = Field(default="", description="What it holds")
    sensitive: bool = Field(default=False, description="Masked wherever people see it")


class ExtendFile(FileModel):
    """What a hub adds to an entity that ships with Nave."""

    fields: dict[FieldName, FieldFile] = Field(default={}, description="Fields of this company's own")


class ScoredFile(FileModel):
    """Identity by weighed evidence; the weights are learned by `nave match train`."""

    link: float = Field(default=0.97, gt=0, lt=1, description="Records that are probably the same, this or more, are linked")
    review: float = Field(default=0.75, gt=0, lt=1, description="Those this probable are shown to a person")
    compare: dict[str, str | None] = Field(
        default={}, description="Fields and how each is compared; nothing after the colon lets training find out"
    )
    block: tuple[KeyFields, ...] = Field(
        default=(), description="What two records share that are worth comparing, `field:key`; without it training chooses"
    )


class IdentityFile(FileModel):
    """What makes two records of different systems the same thing."""

    exact: tuple[KeyFields, ...] = Field(
        default=(), description="Fields, or lists of fields, that link when all of them are equal"
    )
    scored: ScoredFile | None = Field(default=None, description="Links that are weighed instead of certain")
    one_per_system: bool = Field(
        default=True, description="Whether two records of one system are two things, unless a steward says otherwise"
    )
    max_size: int = Field(default=50, ge=2, le=1000, description="Most source records that rules join in one golden record")
    crowd: int = Field(
        default=200, ge=2, le=10_000, description="An exact value that more records than this share links nobody"
    )
    block_limit: int = Field(
        default=50, ge=2, le=10_000, description="A blocking key that more records than this share compares nobody"
    )


class ReferencesFile(FileModel):
    """What happens to a record that names others which have not arrived."""

    wait: Literal["whole", "placeholders"] = Field(
        default="whole",
        description="It waits as a whole, or goes out with placeholders and again when they come",
    )


class WaitFile(FileModel):
    """How long records of an entity may wait."""

    escalate: Duration | None = Field(
        default=None, description="After this long a waiting record becomes a finding; it goes on waiting"
    )


class MoveFile(FileModel):
    """How far a number may go."""

    by: Share = Field(description="A part of what it was, up or down")
    share: Share = Field(description="The share of records whose number may go further than that")


class BrakesFile(FileModel):
    """What a snapshot, a full pass or a first load may do; one that would do more is held for a person."""

    model_config = ConfigDict(**FileModel.model_config, serialize_by_alias=True)

    delete: Share | None = Field(default=None, description="The share of a source's known records that may be gone")
    change: Share | None = Field(default=None, description="The share of the system's known records that may change")
    blank: dict[str, Share] = Field(default={}, description="By field: the share that may lose its value")
    move: dict[str, MoveFile] = Field(default={}, description="By field: how far its number may go, and for which share")
    from_: int = Field(default=100, ge=1, alias="from", description="No brake works for a system with fewer known records")


class GroupFile(FileModel):
    """Fields that survive together: all of them come from the same record."""

    fields: tuple[FieldName, ...] = Field(min_length=2, description="The fields of the group")
    rule: Rule = Field(default="most_recent", description="Which record they come from; not `longest` and not `union`")


class SurvivorshipFile(FileModel):
    """Which value wins: a rule for each field that is named here."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Rule] = Field(init=False)

    default: Rule = Field(default="most_recent", description="The rule of fields that are not named")
    groups: dict[Name, GroupFile] = Field(default={}, description="Fields that survive together, by the group's name")
    blank: Literal["loses", "wins"] = Field(
        default="loses", description="Whether a value that says nothing may beat one that does"
    )

    @property
    def named(self) -> dict[str, Any]:
        """The rules of single fields."""
        return dict(self.__pydantic_extra__ or {})


class EntityFile(FileModel):
    """`entities/NAME.yaml`: how this company identifies and merges an entity, and what it adds to it."""

    entity: Name = Field(description="The entity's name; the file's name says the same")
    title: Title = Field(default=Texts(), description="What people call it")
    extend: ExtendFile = Field(default=ExtendFile(), description="Additions to an entity that ships with Nave")
    fields: dict[FieldName, FieldFile] = Field(default={}, description="All fields of an entity of this company's own")
    identity: IdentityFile = Field(default=IdentityFile(), description="What makes two records the same thing")
    survivorship: SurvivorshipFile = Field(default=SurvivorshipFile(), description="Which value wins, by field")
    references: ReferencesFile = Field(
        default=ReferencesFile(), description="What happens while a record it names is missing"
    )
    wait: WaitFile = Field(default=WaitFile(), description="How long its records may wait before a person hears of it")
    deliver: Literal["latest", "every_version"] = Field(
        default="latest", description="Whether a sink gets every version or only the newest"
    )
    closed: EntityClosedFile | None = Field(default=None, description="Until when the books are closed for its records")
    brakes: BrakesFile | None = Field(
        default=None, description="How much of what a system is known to have one full pass of it may change by itself"
    )

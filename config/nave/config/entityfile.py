"""`entities/NAME.yaml`: the shape of a canonical record, who is the same, and which value wins."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from nave.config.hubfile import EntityClosedFile
from nave.config.notation import FieldName, FileModel, KeyFields, Name, Rule, Texts, Title
from nave.core.units import Duration, Share


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

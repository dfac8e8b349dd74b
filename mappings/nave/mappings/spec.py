"""The shape of a mapping file and of the test file beside it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

PART_NAME = r"^[a-z][a-z0-9_-]{0,62}$"

_EXPRESSION = {"type": "string", "maxLength": 2000, "description": "An expression: a path, filters, operators"}
_NAMES = {"type": "object", "additionalProperties": {"$ref": "#/$defs/Field"}}


def _form(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


_FIELD_SCHEMA: dict[str, Any] = {
    "description": "How one target field is filled",
    "anyOf": [
        _EXPRESSION,
        {"type": ["number", "boolean"], "description": "A constant"},
        _form(["const"], const={"description": "A constant"}, when=_EXPRESSION),
        _form(
            ["from"],
            **{"from": _EXPRESSION},
            table={"type": "string"},
            default={"description": "A constant for what is absent, and for codes that are not in the table"},
            unknown={"enum": ["refuse", "pass", "default"]},
            at=_EXPRESSION,
            when=_EXPRESSION,
        ),
        _form(["each", "fields"], each=_EXPRESSION, when=_EXPRESSION, fields=_NAMES),
        _form(["each", "item"], each=_EXPRESSION, when=_EXPRESSION, item={"$ref": "#/$defs/Field"}),
        _form(["key"], key={"anyOf": [_EXPRESSION, {"type": "array", "items": _EXPRESSION}]}, system={"type": "string"}),
        _form(["python"], python={"type": "string", "pattern": r"^[\w.]+:\w+$"}, when=_EXPRESSION),
        _form(["xslt"], **{"xslt": {"type": "string"}, "from": _EXPRESSION, "when": _EXPRESSION}),
        _form(["xml", "fields"], xml={"type": "string"}, namespaces={"type": "object"}, fields=_NAMES, when=_EXPRESSION),
        _form(["fields"], fields=_NAMES, when=_EXPRESSION),
        {"type": "array", "items": {"$ref": "#/$defs/Field"}, "description": "A list with one item per entry"},
        {**_NAMES, "description": "An object: its members, each filled in its own way"},
    ],
}


_FIELDS_SCHEMA = _NAMES | {"description": "Target field -> how it is filled"}


def _with_fields(schema: dict[str, Any]) -> dict[str, Any]:
    schema.setdefault("$defs", {})["Field"] = _FIELD_SCHEMA
    schema["properties"]["fields"] |= _FIELDS_SCHEMA
    return schema


class PartSpec(BaseModel):
    """Another record that is made of each record of a source, or one of each item of a list in it."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="Part of a mapping")

    to: str = Field(min_length=1, max_length=200, description="The entity of these records")
    each: str | None = Field(
        default=None, description="A list, by a path or an expression: each item is a record, and `parent` is around it"
    )
    when: str | None = Field(default=None, description="Only where this holds")
    key: str | list[str] = Field(description="Expression of the key; a list is joined by /")
    version: str | None = Field(default=None, description="Its own version; the whole record's, if none is named")
    changed_at: str | None = Field(default=None, description="Expression of the moment of change, if not the version")
    fields: dict[str, Any] = Field(default_factory=dict)
    python: str | None = Field(default=None, description="module:function that fills all fields")
    stays: bool = Field(
        default=False,
        description="Its records stay when all records that said them are gone; otherwise they go with the last of those",
    )

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The schema for editors, with the forms of a field."""
        return _with_fields(super().model_json_schema(*args, **kwargs))


class DeletedSpec(BaseModel):
    """Which events say that their record is no more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = Field(min_length=1, max_length=200, description="How their CloudEvents type ends, such as .deleted")


class MappingSpec(BaseModel):
    """One mapping file: a source's records to an entity, or an entity to a sink's records."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, frozen=True, title="Mapping")

    name: str = Field(alias="mapping", min_length=1, max_length=200, description="Its path under mappings/, without .yaml")
    origin: str = Field(alias="from", min_length=1, max_length=200, description="A source, or an entity on the way out")
    to: str = Field(min_length=1, max_length=200, description="An entity, or a sink on the way out")
    key: str | list[str] | None = Field(default=None, description="Expression of the record's key; a list is joined by /")
    version: str | None = Field(default=None, description="Expression of the record's own version: a moment, number or text")
    changed_at: str | None = Field(default=None, description="Expression of the moment of change, if not the version")
    when: str | None = Field(default=None, description="On the way in: only records where this holds; others are left out")
    deleted: str | DeletedSpec | None = Field(
        default=None, description="On the way in: an expression that holds where the record is no more, or `type: .deleted`"
    )
    extends: str | None = Field(default=None, description="Another mapping, or one that ships with Nave, to begin from")
    fields: dict[str, Any] = Field(default_factory=dict)
    also: dict[Annotated[str, Field(pattern=PART_NAME)], PartSpec] = Field(
        default_factory=dict, description="On the way in: what else each record holds, by a name; `erp.orders.buyer`"
    )
    drop: list[str] = Field(default_factory=list, description="Source fields left out on purpose")
    python: str | None = Field(default=None, description="module:function that fills all fields from the record")
    xslt: str | None = Field(default=None, description="Stylesheet in xslt/ that fills all fields from the record")
    absent: Literal["omit", "null"] = Field(
        default="omit", description="On the way out: leave absent values out, or send them as null"
    )

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The schema for editors, with the forms of a field, which the compiler checks itself."""
        schema = _with_fields(super().model_json_schema(*args, **kwargs))
        part = schema["$defs"].get("PartSpec")
        if part is not None:
            part["properties"]["fields"] |= _FIELDS_SCHEMA
        return schema


class TestCase(BaseModel):
    """One example of what a mapping does: the record, and what comes out of it or how it is refused."""

    __test__ = False
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    given: dict[str, Any]
    expect: dict[str, Any] | None = Field(default=None, description="Only these fields are compared; null means absent")
    expect_error: ExpectedError | None = None
    key: str | None = Field(default=None, description="The key that the record must have")
    deleted: bool = Field(default=False, description="The record must say that its key is no more")
    left_out: bool = Field(default=False, description="The mapping's `when` must leave the record out")
    also: dict[str, list[ExpectedPart]] = Field(default_factory=dict, description="What the mapping's `also` make of it")

    @model_validator(mode="after")
    def _one_expectation(self) -> TestCase:
        if self.expect is not None and self.expect_error is not None:
            raise ValueError("a case has either 'expect' or 'expect_error'")
        if self.left_out and (self.expect is not None or self.expect_error or self.deleted):
            raise ValueError("a record that is left out has neither 'expect' nor 'expect_error' nor 'deleted'")
        if self.expect is None and self.expect_error is None and not (self.also or self.deleted or self.left_out):
            raise ValueError("a case has either 'expect' or 'expect_error', or 'also', or 'left_out'")
        return self


class ExpectedError(BaseModel):
    """How a record must be refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str | None = None
    code: str


class ExpectedPart(BaseModel):
    """One of the records that a part of a mapping must give, or how it must be refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str | None = None
    expect: dict[str, Any] | None = None
    expect_error: ExpectedError | None = None


class TestFile(BaseModel):
    """The cases of one mapping."""

    __test__ = False
    model_config = ConfigDict(extra="forbid", frozen=True)

    cases: list[TestCase]

"""What an entity has room for, read off its pydantic model, so that every target and outbound path can be checked."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from nave.core.values import Money, Quantity, Ref

_AMOUNT_OF: Mapping[type[BaseModel], str] = {Money: "amount", Quantity: "value"}
"""A measure says nothing without its number: a currency alone is no money."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One place for a value."""

    kind: Literal["scalar", "object", "list", "ref", "any"]
    fields: Mapping[str, Shape] = field(default_factory=dict)
    """Of an object."""
    required: frozenset[str] = frozenset()
    """Names of an object that cannot be left out."""
    item: Shape | None = None
    """Of a list."""
    amount: str | None = None
    """The member without which the whole object is left out."""
    annotation: Any = None
    """Of a scalar, for pydantic."""


ANY = Shape("any")
"""A place where nothing is known in advance."""


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """The shape of a model, all the way down."""
    fields = {
        name: _shape(Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation)
        for name, info in model.model_fields.items()
    }
    required = frozenset(name for name, info in model.model_fields.items() if info.is_required())
    amount = next((name for kind, name in _AMOUNT_OF.items() if issubclass(model, kind)), None)
    return Shape("object", fields, required, amount=amount, annotation=model)


def _shape(annotation: Any) -> Shape:
    inner = _without_none(annotation)
    bare = get_args(inner)[0] if get_origin(inner) is Annotated else inner
    bare = _without_none(bare)
    if get_origin(bare) is Annotated:
        return _shape(bare)
    if get_origin(bare) is list:
        return Shape("list", item=_shape(get_args(bare)[0]))
    if isinstance(bare, type) and issubclass(bare, Ref):
        return Shape("ref", annotation=bare)
    if isinstance(bare, type) and issubclass(bare, BaseModel):
        return shape_of(bare)
    if bare is Any or bare is dict or get_origin(bare) is dict:
        return ANY
    return Shape("scalar", annotation=inner)


def _without_none(annotation: Any) -> Any:
    """`X | None` as `X`; other annotations as they are."""
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [arm for arm in get_args(annotation) if arm is not type(None)]
        return rest[0] if len(rest) == 1 else Any
    return annotation


_REFERRED = ("system", "key", "id", "code", "record", "version", "placeholder")
_REFERENCE = Shape("object", dict.fromkeys(_REFERRED, Shape("scalar")) | {"keys": ANY})
"""A reference as an outbound document carries it."""


def outbound_shape(model: type[BaseModel]) -> Shape:
    """What an outbound mapping can read: the entity, its references expanded, and what the hub knows of the record."""
    shape = _expanded(shape_of(model))
    hub = {"id": Shape("scalar"), "version": Shape("scalar"), "keys": ANY, "systems": Shape("list", item=Shape("scalar"))}
    return Shape("object", {**hub, **shape.fields})


def _expanded(shape: Shape) -> Shape:
    if shape.kind == "ref":
        return _REFERENCE
    if shape.kind == "list" and shape.item:
        return Shape("list", item=_expanded(shape.item))
    if shape.kind == "object":
        return Shape("object", {name: _expanded(inner) for name, inner in shape.fields.items()})
    return shape


def fitting(shape: Shape) -> Callable[[Any], bool]:
    """Whether a value can stand in such a place; where nothing is known, anything can."""
    if shape.kind != "scalar" or shape.annotation is None:
        return lambda value: True
    adapter = TypeAdapter(shape.annotation)

    def fits(value: Any) -> bool:
        try:
            adapter.validate_python(value)
        except ValidationError:
            return False
        return True

    return fits


def form_of(shape: Shape) -> str:
    """How a mapping fills such a place, as a short piece of YAML for an error's text."""
    if shape.kind == "object":
        names = ", ".join(f"{name}: ..." for name in sorted(shape.required) or sorted(shape.fields)[:2])
        return f"{{{names}}}"
    return {"list": "{each: ..., fields: {...}}", "ref": "{key: ...}"}.get(shape.kind, "EXPRESSION")

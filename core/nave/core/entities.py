"""Entity types as data: what a canonical record looks like, which of its fields point elsewhere, and how a batch is checked.

Records travel as plain dicts. The pydantic models describe them for people and schemas; the batch check runs on the
same annotations as typed dicts, which costs about half of building model objects and leaves absent fields absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from hashlib import sha256
from typing import Annotated, Any, NotRequired, get_args, get_origin

import msgspec
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model, with_config
from typing_extensions import TypedDict

from nave.core import models, values
from nave.core.errors import ConfigError, NaveError, PermanentError

Document = dict[str, Any]

_TITLES: dict[str, tuple[str, str]] = {
    "customer": ("Customer", "客户"),
    "contact": ("Contact", "联系人"),
    "product": ("Product", "产品"),
    "bom": ("Bill of materials", "物料清单"),
    "order": ("Order", "订单"),
    "progress": ("Production progress", "生产进度"),
    "stock_movement": ("Stock movement", "出入库"),
    "shipment": ("Shipment", "发货"),
    "invoice": ("Invoice", "发票"),
    "payment": ("Payment", "回款"),
    "sold_product": ("Sold product", "售出产品"),
    "opportunity": ("Opportunity", "商机"),
    "activity": ("Activity", "客户活动"),
    "employee": ("Employee", "员工"),
    "attendance": ("Attendance", "考勤"),
    "sales_performance": ("Sales performance", "销售业绩"),
    "region": ("Region", "地区"),
}


@dataclass(frozen=True)
class FieldSpec:
    """A field as a hub's YAML describes it: a type's name, `{ref: entity}`, `{list: type}` or `{object: {name: spec}}`."""

    type: str | Mapping[str, Any]
    required: bool = False
    description: str = ""


@dataclass(frozen=True)
class EntityType:
    """One canonical type of record."""

    name: str
    model: type[BaseModel]
    title: Mapping[str, str]

    @cached_property
    def refs(self) -> Mapping[str, str]:
        """Reference fields, `lines[].product` -> `product`: a dotted path, `[]` where a list is walked."""
        return dict(_find_refs(self.model, ""))

    @cached_property
    def ways(self) -> Sequence[tuple[str, Sequence[str], str, str]]:
        """The same, cut up once for all documents: first field, parts, entity, and `order.lines[].product`."""
        cut = [(path.split("."), path, target) for path, target in self.refs.items()]
        return [(parts[0].removesuffix("[]"), parts, target, f"{self.name}.{path}") for parts, path, target in cut]

    @cached_property
    def hash(self) -> str:
        """Changes with the model, so that what was checked against another one can be told."""
        return sha256(json.dumps(self.model.model_json_schema(), sort_keys=True).encode()).hexdigest()[:16]

    @cached_property
    def _batch(self) -> TypeAdapter[list[Document]]:
        return TypeAdapter(list[_typed_dict(self.model)])  # type: ignore[misc, arg-type]

    def validate(self, documents: Sequence[Document]) -> list[Document | NaveError]:
        """Check and convert a batch: the typed document, or the error that says which field is wrong, in order."""
        try:
            return list(self._batch.validate_python(documents))
        except ValidationError as error:
            return self._sorted_out(documents, _first_errors(error))

    def _sorted_out(self, documents: Sequence[Document], bad: Mapping[int, NaveError]) -> list[Document | NaveError]:
        good = iter(self._batch.validate_python([doc for index, doc in enumerate(documents) if index not in bad]))
        return [bad[index] if index in bad else next(good) for index in range(len(documents))]

    def typed(self, texts: Sequence[str]) -> list[Document]:
        """Stored documents (JSON text) with their types back: Decimal, date, aware datetime."""
        return list(self._batch.validate_python([decode(text) for text in texts]))


_encoder = msgspec.json.Encoder(decimal_format="string", order="deterministic")
_decoder = msgspec.json.Decoder()


def encode(document: Mapping[str, Any]) -> str:
    """The one JSON text of a document: sorted keys, numbers as exact text, so that equal documents have equal text."""
    return _encoder.encode(document).decode()


def decode(text: str | bytes) -> Document:
    """A stored document as plain JSON values."""
    document: Document = _decoder.decode(text)
    return document


@cache
def shipped() -> Mapping[str, EntityType]:
    """The entities that come with Nave, by name."""
    return {
        name: EntityType(name, model, dict(zip(("en", "zh"), _TITLES[name], strict=True)))
        for name, model in models.SHIPPED.items()
    }


def extended(base: EntityType, fields: Mapping[str, FieldSpec]) -> EntityType:
    """`base` with a hub's own fields added; a field that is there already is refused."""
    for name in fields:
        if name in base.model.model_fields:
            raise ConfigError("NAVE-D003", entity=base.name, field=name)
    model = create_model(base.model.__name__, __base__=base.model, **_definitions(fields))
    return EntityType(base.name, model, base.title)


def defined(name: str, title: Mapping[str, str], fields: Mapping[str, FieldSpec]) -> EntityType:
    """A whole entity that a hub describes by itself."""
    model = create_model(name, __base__=models.Entity, **_definitions(fields))
    return EntityType(name, model, title)


_SCALARS: dict[str, Any] = {
    "text": values.Text,
    "code": values.Code,
    "integer": int,
    "number": values.Number,
    "boolean": bool,
    "date": date,
    "datetime": values.Instant,
    "month": values.Month,
    "money": values.Money,
    "quantity": values.Quantity,
    "address": models.Address,
}


def field_types() -> tuple[str, ...]:
    """Names of the types a hub's own fields can have."""
    return tuple(_SCALARS)


def _object(fields: Mapping[str, Any]) -> type[BaseModel]:
    specs = {name: spec if isinstance(spec, FieldSpec) else FieldSpec(**spec) for name, spec in fields.items()}
    return create_model("Part", __base__=values.Part, **_definitions(specs))


_COMPOUND: dict[str, Callable[[Any], Any]] = {
    "ref": lambda entity: Annotated[values.Ref, values.RefTo(entity)],
    "list": lambda inner: list[_annotation(inner)],  # type: ignore[misc]
    "object": _object,
}


def _annotation(spec: str | Mapping[str, Any]) -> Any:
    if isinstance(spec, str) and spec in _SCALARS:
        return _SCALARS[spec]
    if isinstance(spec, Mapping) and len(spec) == 1:
        ((kind, inner),) = spec.items()
        if kind in _COMPOUND:
            return _COMPOUND[kind](inner)
    raise ConfigError("NAVE-D004", type=str(spec), known=", ".join([*_SCALARS, *_COMPOUND]))


def _definitions(fields: Mapping[str, FieldSpec]) -> dict[str, Any]:
    return {name: _definition(spec) for name, spec in fields.items()}


def _definition(spec: FieldSpec) -> tuple[Any, Any]:
    annotation = _annotation(spec.type)
    if spec.required:
        return annotation, Field(description=spec.description)
    return annotation | None, Field(default=None, description=spec.description)


@cache
def _typed_dict(model: type[BaseModel]) -> Any:
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        annotation = _as_typed_dicts(info.annotation)
        if info.metadata:
            annotation = Annotated[(annotation, *info.metadata)]
        fields[name] = annotation if info.is_required() else NotRequired[annotation]
    make: Any = TypedDict
    return with_config(ConfigDict(extra="forbid"))(make(model.__name__, fields))


def _as_typed_dicts(annotation: Any) -> Any:
    """The annotation with every model in it replaced by its typed dict."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _typed_dict(annotation)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(_as_typed_dicts(inner[0]), *inner[1:])]
    if origin is list:
        return list[_as_typed_dicts(inner[0])]  # type: ignore[misc]
    if inner and type(None) in inner:
        return _as_typed_dicts(inner[0]) | None
    return annotation


def _find_refs(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str]]:
    for name, info in model.model_fields.items():
        yield from _refs_in(info.annotation, info.metadata, prefix + name)


def _refs_in(annotation: Any, metadata: Sequence[Any], path: str) -> Iterator[tuple[str, str]]:
    target = next((mark.entity for mark in metadata if isinstance(mark, values.RefTo)), None)
    origin, inner = get_origin(annotation), get_args(annotation)
    if target:
        yield path, target
    elif origin is Annotated:
        yield from _refs_in(inner[0], inner[1:], path)
    elif origin is list:
        yield from _refs_in(inner[0], (), f"{path}[]")
    elif inner:
        yield from _refs_in(inner[0], (), path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _find_refs(annotation, f"{path}.")


def _first_errors(error: ValidationError) -> dict[int, NaveError]:
    found: dict[int, NaveError] = {}
    for detail in error.errors(include_url=False, include_context=False):
        index, *path = detail["loc"]
        assert isinstance(index, int)
        found.setdefault(index, _explained(detail, _dotted(path)))
    return found


def _dotted(path: Sequence[str | int]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def _explained(detail: Any, field: str) -> NaveError:
    value = str(detail["input"])
    shown = value if len(value) <= 80 else f"{value[:77]}..."
    code = _CODES.get(detail["type"], "NAVE-D002")
    return PermanentError(code, field=field, path=field, value=shown, reason=detail["msg"])


_CODES = {"missing": "NAVE-D001", "extra_forbidden": "NAVE-D005"}

"""The way of each target field: the form that fills it, the source fields it reads, the filters and tables on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

from nave.mappings import forms
from nave.mappings.lineage import LIST
from nave.mappings.mapping import Inbound, OutboundMapping
from nave.mappings.problems import ExpressionError, YamlPath
from nave.mappings.spec import MappingSpec
from nave.mappings.syntax import parse
from nave.mappings.targets import below


@dataclass(frozen=True, slots=True)
class Way:
    """How one target field comes to be."""

    target: str
    """`lines[].product`."""
    at: YamlPath
    """Where in the mapping file it is said."""
    text: str
    """The expression, or the form in short: `= CNY`, `python own:material`."""
    sources: Sequence[str] = ()
    filters: Sequence[str] = ()
    tables: Sequence[str] = ()


def ways_of(spec: MappingSpec, mapping: Inbound | OutboundMapping) -> list[Way]:
    """The ways of key, version and all fields, in the order of the file; `spec` is what `mapping` was compiled from."""
    return said_ways(spec, mapping.lineage, references=isinstance(mapping, Inbound))


def said_ways(spec: MappingSpec, lineage: Mapping[str, Sequence[str]], *, references: bool) -> list[Way]:
    """The ways that a mapping says, with the source fields that its lineage knows for each."""
    read = forms.Forms([], references=references)
    found: list[tuple[str, forms.Form | None]] = []
    for name in ("key", "version", "changed_at"):
        value = getattr(spec, name)
        if value is not None:
            found += [(name, one) for one in read.keys((name,), value)]
    found.append(("", read.members(("fields",), spec.fields) if spec.fields else None))
    if spec.python or spec.xslt:
        text = spec.python or spec.xslt or ""
        whole = forms.Python(("python",), text) if spec.python else forms.Xslt(("xslt",), text, None)
        found[-1] = ("*", whole)
    ways = [way for name, form in found if form is not None for way in _ways(name, form)]
    return [_with_sources(way, lineage) for way in ways]


def _with_sources(way: Way, lineage: Mapping[str, Sequence[str]]) -> Way:
    return Way(way.target, way.at, way.text, tuple(lineage.get(way.target, ())), way.filters, way.tables)


def _ways(name: str, form: Any) -> Iterator[Way]:
    make = _MAKERS.get(type(form))
    if make:
        yield from make(name, form)


def _expression(name: str, form: forms.Expression) -> Iterator[Way]:
    yield Way(name, form.at, form.source, (), *_used([form]))


def _constant(name: str, form: forms.Constant) -> Iterator[Way]:
    yield Way(name, form.at, f"= {form.value}")


def _source(name: str, form: forms.From) -> Iterator[Way]:
    filters, tables = _used([one for one in (form.expression, form.at_day) if one])
    yield Way(name, form.at, form.expression.source, (), filters, (*tables, *([form.table] if form.table else ())))


def _reference(name: str, form: forms.Reference) -> Iterator[Way]:
    text = " / ".join(key.source for key in form.keys)
    yield Way(name, form.at, f"{form.system}: {text}" if form.system else text, (), *_used(form.keys))


def _python(name: str, form: forms.Python) -> Iterator[Way]:
    yield Way(name, form.at, f"python {form.reference}")


def _xslt(name: str, form: forms.Xslt) -> Iterator[Way]:
    yield Way(name, form.at, f"xslt {form.reference}")


def _object(name: str, form: forms.Object) -> Iterator[Way]:
    for member, inner in form.fields:
        yield from _ways(below(name, member), inner)


def _listed(name: str, form: forms.Listed) -> Iterator[Way]:
    for inner in form.items:
        yield from _ways(f"{name}{LIST}", inner)


def _each(name: str, form: forms.Each) -> Iterator[Way]:
    yield Way(name, form.at, f"each {form.items.source}", (), *_used([one for one in (form.items, form.when) if one]))
    yield from _ways(f"{name}{LIST}", form.form)


def _when(name: str, form: forms.When) -> Iterator[Way]:
    filters, tables = _used([form.condition])
    for place, way in enumerate(_ways(name, form.form)):
        if place:
            yield way
            continue
        text = f"{way.text} when {form.condition.source}"
        yield Way(way.target, way.at, text, (), (*way.filters, *filters), (*way.tables, *tables))


def _xml(name: str, form: forms.Xml) -> Iterator[Way]:
    yield Way(name, form.at, f"xml {form.name}")
    yield from _ways(name, form.form)


_MAKERS: Mapping[type, Callable[[str, Any], Iterator[Way]]] = {
    forms.Expression: _expression,
    forms.Constant: _constant,
    forms.From: _source,
    forms.Reference: _reference,
    forms.Python: _python,
    forms.Xslt: _xslt,
    forms.Object: _object,
    forms.Listed: _listed,
    forms.Each: _each,
    forms.When: _when,
    forms.Xml: _xml,
}


def _used(expressions: Sequence[forms.Expression]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Filters and value tables, in the order in which a value meets them."""
    filters: dict[str, None] = {}
    tables: dict[str, None] = {}
    for expression in expressions:
        try:
            tree = parse(expression.source)
        except ExpressionError:
            continue
        found = [*tree.find_all(nodes.Filter)]
        for node in reversed([tree, *found] if isinstance(tree, nodes.Filter) else found):
            assert isinstance(node, nodes.Filter)
            argument = node.args[0] if node.args else None
            if node.name == "table" and isinstance(argument, nodes.Const):
                tables[str(argument.value)] = None
            filters[node.name] = None
    return tuple(filters), tuple(tables)


def values_at(record: Any, path: str) -> list[Any]:
    """What a record holds at a source path as lineage writes it; one value per item where lists are walked."""
    return values_along(record, _steps(path))


def values_along(record: Any, steps: Iterable[str]) -> list[Any]:
    """What a record holds behind these steps; nothing where a step cannot be taken."""
    values = [record]
    for step in steps:
        if step == LIST:
            values = [inner for value in values for inner in (value if isinstance(value, list) else [value])]
        else:
            values = [value[step] for value in values if isinstance(value, Mapping) and step in value]
    return values


def _steps(path: str) -> Iterator[str]:
    rest = "" if path == "*" else path
    while rest:
        if rest.startswith(LIST):
            yield LIST
            rest = rest[len(LIST) :]
        elif rest.startswith('["'):
            name, _, rest = rest[2:].partition('"]')
            yield name
        else:
            rest = rest.removeprefix(".")
            end = min((place for place in (rest.find("."), rest.find("[")) if place > 0), default=len(rest))
            yield rest[:end]
            rest = rest[end:]

"""Which rows of value tables no mapping can ask for: of a system that nobody asks for, or a code that no filter gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from jinja2 import nodes

from nave.mappings import forms
from nave.mappings.problems import ExpressionError
from nave.mappings.spec import MappingSpec
from nave.mappings.syntax import parse

_SETTLED: Mapping[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "trim": str.strip,
    "squeeze": lambda text: " ".join(text.split()),
}
"""Filters after which a text is as they would make it again: a code that is not, cannot be asked for."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One place in a mapping that asks a table."""

    table: str
    system: str
    outbound: bool
    last: str | None
    """The filter that a code goes through right before."""


def asked_by(spec: MappingSpec, system: str, *, outbound: bool) -> list[Asking]:
    """All places in a mapping that ask a table."""
    read = forms.Forms([], references=not outbound)
    whole: list[Any] = [read.members(("fields",), spec.fields)]
    whole += [read.members(("also", name, "fields"), part.fields) for name, part in spec.also.items()]
    texts = [spec.key, spec.version, spec.changed_at, spec.when, spec.deleted if isinstance(spec.deleted, str) else None]
    for part in spec.also.values():
        texts += [part.key, part.each, part.when, part.version, part.changed_at]
    listed = [one for text in texts for one in (text if isinstance(text, list) else [text]) if one]
    found = [asked for form in whole for asked in _in_form(form)]
    found += [asked for text in listed for asked in _in_text(text)]
    return [Asking(table, system, outbound, last) for table, last in found]


def _in_form(form: Any) -> Iterator[tuple[str, str | None]]:
    if isinstance(form, forms.From) and form.table:
        yield form.table, _last(_tree(form.expression.source))
    if isinstance(form, forms.Expression):
        yield from _in_text(form.source)
    elif isinstance(form, tuple):
        for inner in form:
            yield from _in_form(inner)
    elif is_dataclass(form):
        for one in fields(form):
            yield from _in_form(getattr(form, one.name))


def _in_text(text: str) -> Iterator[tuple[str, str | None]]:
    tree = _tree(text)
    if tree is None:
        return
    for node in [tree, *tree.find_all(nodes.Filter)]:
        if isinstance(node, nodes.Filter) and node.name == "table" and node.args and isinstance(node.args[0], nodes.Const):
            yield str(node.args[0].value), _last(node.node)


def _tree(text: str) -> nodes.Expr | None:
    try:
        return parse(text)
    except ExpressionError:
        return None


def _last(node: nodes.Node | None) -> str | None:
    return node.name if isinstance(node, nodes.Filter) else None


def unreached(rows: Sequence[Mapping[str, str]], asked: Iterable[Asking]) -> list[int]:
    """Rows, from 0, that none of those who ask their table can get."""
    asking = list(asked)
    return [place for place, row in enumerate(rows) if not any(_reaches(one, row) for one in asking)]


def _reaches(one: Asking, row: Mapping[str, str]) -> bool:
    if row.get("system", "") not in ("", one.system):
        return False
    code = row.get("to" if one.outbound else "from") or ""
    settled = _SETTLED.get(one.last or "")
    return settled is None or settled(code) == code

"""Fills places in the ways that are not values of their own: under a condition, as an XML document, by a stylesheet."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from nave.core.errors import ConfigError
from nave.mappings import forms
from nave.mappings.elements import checked_name, writer
from nave.mappings.expressions import Code
from nave.mappings.scopes import Scope, Used
from nave.mappings.shapes import ANY
from nave.mappings.stylesheets import fitted
from nave.mappings.targets import Filled, Target
from nave.mappings.trees import assign, load

if TYPE_CHECKING:
    from nave.mappings.fields import Fields

Filler = Callable[["Fields", Any, Target, Scope], Filled]


def when(fields: Fields, form: forms.When, target: Target, scope: Scope) -> Filled:
    """A place that is filled only where a condition holds; elsewhere it is absent."""
    used = Used()
    flag, name = fields.names.fresh("w"), fields.names.fresh("v")
    condition = fields.expression(form.condition, scope, used).tree
    test = fields.guarded([assign(flag, condition)], target, scope, used)
    inner = fields.fill(form.form, target, scope)
    branch = ast.If(load(flag), [*inner.body, assign(name, inner.value)], [assign(name, ast.Constant(None))])
    return Filled([test, branch], load(name), inner.gives)


def xml(fields: Fields, form: forms.Xml, target: Target, scope: Scope) -> Filled:
    """The text of one XML document, from a template of elements."""
    if target.shape.kind not in ("scalar", "any"):
        fields.wrong_shape(form.at, target.shape, "{xml: ...}")
    try:
        write = writer(form.name, form.namespaces)
    except ConfigError as error:
        fields.problem((*form.at, "xml"), error)
        return Filled([], ast.Constant(None), "text")
    _check_names(fields, form.form, form.namespaces)
    inner = fields.members(form.form, Target(target.name, ANY, target.handler), scope)
    written = fields.leaf(Code(fields.names.call(write, inner.value), "text"), target, scope, Used())
    return Filled([*inner.body, *written.body], written.value, "text", always=True)


def _check_names(fields: Fields, form: forms.Form, namespaces: Mapping[str, str]) -> None:
    """Every name in the template must be one that an element or an attribute can have."""
    if isinstance(form, forms.Each | forms.When):
        _check_names(fields, form.form, namespaces)
    if isinstance(form, forms.Listed):
        for item in form.items:
            _check_names(fields, item, namespaces)
    for name, inner in form.fields if isinstance(form, forms.Object) else ():
        try:
            checked_name("x" if name == "#text" else name.removeprefix("@"), namespaces)
        except ConfigError as error:
            fields.problem(inner.at, error)
        _check_names(fields, inner, namespaces)


def xslt(fields: Fields, form: forms.Xslt, target: Target, scope: Scope) -> Filled:
    """What a stylesheet of the hub's own makes of a value, or of the record or item."""
    try:
        transform = fields.stylesheets(form.reference)
    except ConfigError as error:
        fields.problem(form.at, error)
        return Filled([], ast.Constant(None), "same")
    if form.source is None:
        used, code = Used(reads={scope.prefix}), Code(load(scope.variable))
    else:
        used = Used()
        code = fields.expression(form.source, scope, used)
    made = ast.Call(fields.names.hold(transform, "f"), [code.tree], [])
    shape = partial(fitted, shape=target.shape)
    return fields.leaf(Code(ast.Call(fields.names.hold(shape, "f"), [made], [])), target, scope, used)


FILLERS: Mapping[type, Filler] = {forms.When: when, forms.Xml: xml, forms.Xslt: xslt}

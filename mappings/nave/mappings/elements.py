"""Builds XML from nested values: a template of elements filled with what a record says, for sinks, SOAP and stylesheets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from nave.core.errors import ConfigError, PermanentError
from nave.mappings.operations import LONGEST_TEXT, MOST_ITEMS, as_text, too_long
from nave.mappings.problems import shown

DEEPEST = 50
"""Levels of elements in one document."""

_NAME = re.compile(r"(?:([^\W\d][\w.\-]*):)?([^\W\d][\w.\-]*)")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Namespaces = Mapping[str, str]
"""Prefix -> URI; the empty prefix is the namespace of names that have none."""


def checked_name(name: str, namespaces: Namespaces) -> str:
    """The name as lxml wants it, `{uri}local`; ConfigError (M028) for what XML has no such element for."""
    found = _NAME.fullmatch(name)
    prefix = (found[1] or "") if found else ""
    if not found or (prefix and prefix not in namespaces):
        raise ConfigError("NAVE-M028", name=shown(name))
    uri = namespaces.get(prefix, "")
    return f"{{{uri}}}{found[2]}" if uri else str(found[2])


def writer(name: str, namespaces: Namespaces) -> Callable[[Any], str]:
    """A function from nested values to the text of one XML document whose root is `name`.

    Objects nest, lists repeat, `@name` is an attribute, `#text` the text beside them; what is absent is left out.
    """
    checked_name(name, namespaces)

    def write(value: Any) -> str:
        text = etree.tostring(element(name, value, namespaces), encoding="unicode")
        if len(text) > LONGEST_TEXT:
            raise too_long(len(text))
        return str(text)

    return write


def element(name: str, value: Any, namespaces: Namespaces) -> etree._Element:
    """One element with all that is in it; PermanentError where values cannot stand in XML (M121) or are too many (M118)."""
    known = {prefix or None: uri for prefix, uri in namespaces.items()}
    root = etree.Element(_runtime_name(name, namespaces), nsmap=known or None)
    waiting: list[tuple[etree._Element, Any, int]] = [(root, value, 1)]
    count = 0
    while waiting:
        node, inner, depth = waiting.pop()
        count += 1
        if count > MOST_ITEMS or depth > DEEPEST:
            raise PermanentError("NAVE-M118", limit=f"{MOST_ITEMS:,}" if count > MOST_ITEMS else f"{DEEPEST}")
        if isinstance(inner, Mapping):
            waiting += [(child, one, depth + 1) for child, one in _members(node, inner, namespaces)]
        elif inner is not None:
            node.text = _text(inner)
    return root


def _members(node: etree._Element, values: Mapping[str, Any], namespaces: Namespaces) -> list[tuple[etree._Element, Any]]:
    """Attributes and text set at once; the children made, in order, to be filled later."""
    children: list[tuple[etree._Element, Any]] = []
    for name, value in values.items():
        if value is None:
            continue
        if name == "#text":
            node.text = _text(value)
        elif name.startswith("@"):
            node.set(_attribute(name[1:], namespaces), _text(value))
        else:
            tag = _runtime_name(name, namespaces)
            repeated = value if isinstance(value, list) else [value]
            children += [(etree.SubElement(node, tag), one) for one in repeated if one is not None]
    return children


def _attribute(name: str, namespaces: Namespaces) -> str:
    """Attributes without a prefix are in no namespace, whatever the elements are in."""
    return _runtime_name(name, {**namespaces, "": ""})


def _runtime_name(name: str, namespaces: Namespaces) -> str:
    try:
        return checked_name(name, namespaces)
    except ConfigError:
        raise PermanentError("NAVE-M121", value=shown(name)) from None


def _text(value: Any) -> str:
    text = as_text(value)
    if _FORBIDDEN.search(text):
        raise PermanentError("NAVE-M121", value=shown(text))
    return text

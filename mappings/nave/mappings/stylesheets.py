"""The other way out of the mapping language: an XSLT stylesheet of the hub's own, which reaches no file and no network."""

from __future__ import annotations

import io
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from lxml import etree

from nave.core.errors import ConfigError, NaveError, PermanentError
from nave.core.protocols import Refused
from nave.formats import XmlFormat, read
from nave.mappings.elements import element
from nave.mappings.hatch import Function
from nave.mappings.operations import LONGEST_TEXT, too_long
from nave.mappings.problems import shown
from nave.mappings.shapes import Shape

_LARGEST = 1024 * 1024
"""Bytes of one stylesheet."""


class _NoResolver(etree.Resolver):
    """Refuses whatever a document wants to load beside itself."""

    def resolve(self, system_url: str, public_id: str, context: Any) -> Any:  # type: ignore[override]
        raise PermanentError("NAVE-M122", reference=shown(system_url or public_id), reason="not allowed")


def _parser() -> etree.XMLParser:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    parser.resolvers.add(_NoResolver())
    return parser


class Stylesheets:
    """Loads stylesheets by name from the hub's `xslt/` folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder / "xslt" if folder else None
        self.hashes: dict[str, str] = {}
        """File -> hash of its bytes, so that a changed stylesheet is a changed mapping."""

    def load(self, name: str) -> Function:
        """From XML text, or nested values (as the children of `<record>`), to what the stylesheet makes: nested values
        of its root element, or text where it gives text. ConfigError (M017) where it cannot be had."""
        content = self._content(name)
        try:
            transform = etree.XSLT(
                etree.fromstring(content, _parser()), access_control=etree.XSLTAccessControl.DENY_ALL, regexp=False
            )
        except (etree.LxmlError, PermanentError) as error:
            raise ConfigError("NAVE-M017", reference=shown(name), reason=_reason(error)) from error
        self.hashes[name] = sha256(content).hexdigest()
        return _guarded(name, transform)

    def _content(self, name: str) -> bytes:
        path = self._folder / name if self._folder else None
        inside = path is not None and self._folder is not None and path.resolve().is_relative_to(self._folder.resolve())
        if path is None or not inside or not path.is_file() or path.stat().st_size > _LARGEST:
            raise ConfigError("NAVE-M017", reference=shown(name), reason=f"xslt/{shown(name)}")
        return path.read_bytes()


def _guarded(name: str, transform: etree.XSLT) -> Function:
    def run(value: Any) -> Any:
        if value is None:
            return None
        try:
            return _values(transform(_document(value)))
        except NaveError:
            raise
        except (etree.LxmlError, ValueError, RecursionError) as error:
            raise PermanentError("NAVE-M122", reference=name, reason=_reason(error)) from error

    return run


def _document(value: Any) -> etree._Element:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise too_long(len(value))
        return etree.fromstring(_undeclared(value).encode(), _parser())
    return element("record", value, {})


def _undeclared(text: str) -> str:
    """XML text without its declaration: the encoding it names is not the one that it has any more."""
    start = text.lstrip("\ufeff \t\r\n")
    return start.partition("?>")[2] if start.startswith("<?xml") else start


def _values(result: Any) -> Any:
    root = result.getroot()
    if root is None:
        text = str(result)
        if len(text) > LONGEST_TEXT:
            raise too_long(len(text))
        return text
    local = etree.QName(root).localname
    row = next(read(io.BytesIO(etree.tostring(root)), XmlFormat(record=local)))
    if isinstance(row.value, Refused):
        raise row.value.error
    return row.value


def _reason(error: Exception) -> str:
    return shown(error.text() if isinstance(error, NaveError) else f"{type(error).__name__}: {error}")


def fitted(value: Any, shape: Shape) -> Any:
    """Values out of XML in the shape they are for: a child that came once is a list of one, empty text is absent."""
    if shape.kind == "list":
        items = value if isinstance(value, list) else [] if value in (None, "") else [value]
        return [fitted(item, shape.item) for item in items] if shape.item else items
    if shape.kind in ("object", "ref") and isinstance(value, Mapping):
        inner = {name: fitted(one, shape.fields[name]) if name in shape.fields else one for name, one in value.items()}
        return {name: one for name, one in inner.items() if one not in (None, "")} or None
    return None if value == "" else value

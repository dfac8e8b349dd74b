"""Checks what a source says of receipts, rejects and what it expects, against what its connector and format can do."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from nave.config.draft import Draft
from nave.config.shapes import AddressConfig, ConnectionConfig
from nave.config.systemfile import CallFile, SourceFile

BESIDE = "beside"
"""The folder that files are dropped into, as a source's receipt may name it."""
_WRITTEN = frozenset({"csv", "json", "jsonl", "xlsx", "xml"})
_TOLD = {
    "callback": frozenset({"http", "rest", "amqp", "memory", "faulty"}),
    "table": frozenset({"sql", "memory", "faulty"}),
}
"""Where a connection of which type can be told."""
_UNTOLD = "epcis"
"""What is pushed to a door of its own, with receipts of its own."""
_TRAILERS = frozenset({"csv", "json", "xml"})


def check_receipts(draft: Draft, name: str, source: SourceFile, connection: ConnectionConfig, options: BaseModel) -> None:
    """Report what cannot be done; nothing for a source that asks for nothing."""
    layout: Any = getattr(options, "format", None)
    path = ("sources", name)
    for key, inner, wanted in _WISHES:
        if wanted(source) and not _able(key, inner, connection, layout):
            draft.report("NAVE-K300", (*path, key, *inner), key=True, key_name=".".join((key, *inner)), type=connection.type)
            return
    if source.expect is not None and source.expect.looks_inside:
        _check_inside(draft, path, source, connection, layout)
    if source.rejects is not None:
        _check_rejects(draft, path, source, options)
    if source.receipt is not None:
        _check_receipt(draft, path, source, options)


_WISHES: tuple[tuple[str, tuple[str, ...], Callable[[SourceFile], bool]], ...] = (
    ("receipt", ("file",), lambda source: source.receipt is not None and source.receipt.file is not None),
    ("receipt", (), lambda source: source.receipt is not None),
    ("rejects", (), lambda source: source.rejects is not None),
)
"""What a source may ask for, by its place in the file."""


def _able(key: str, inner: tuple[str, ...], connection: ConnectionConfig, layout: Any) -> bool:
    """Files come back where files are dropped; others can be told of what is dropped, and of what is pushed."""
    if connection.spec.shelf is not None and layout is not None:
        return True
    return key == "receipt" and not inner and connection.spec.pushed and connection.type != _UNTOLD


def read_addresses(
    draft: Draft, path: tuple[str, ...], source: SourceFile, connections: Mapping[str, ConnectionConfig]
) -> dict[str, AddressConfig]:
    """Who is to be told of a source's receipts, each checked as a sink of its connection would be."""
    found: dict[str, AddressConfig] = {}
    for kind, types in _TOLD.items():
        said = getattr(source.receipt, kind, None)
        if said is None:
            continue
        connection = _named(draft, (*path, kind), said, connections)
        if connection is None:
            continue
        model = connection.spec.sink_options
        if connection.type not in types or connection.spec.sink is None or model is None:
            known = ", ".join(sorted(types - {"memory", "faulty"}))
            draft.report("NAVE-K318", (*path, kind, "to"), key_name=kind, type=connection.type, known=known)
            continue
        own = {"to", *CallFile.model_fields} if kind == "callback" else {"to"}
        rest = {name: value for name, value in said.items() if name not in own}
        draft.check_secrets(model, rest, (*path, kind))
        options = draft.check(model, rest, (*path, kind), also=own)
        form = draft.check(CallFile, {name: said[name] for name in own & said.keys() if name != "to"}, (*path, kind))
        if options is not None and form is not None:
            found[kind] = AddressConfig(connection, options, form.mapping, form.each, form.when)
    return found


def _named(
    draft: Draft, path: tuple[str, ...], said: Mapping[str, Any], connections: Mapping[str, ConnectionConfig]
) -> ConnectionConfig | None:
    name = said.get("to")
    if not isinstance(name, str):
        draft.report("NAVE-K319", path, key=True, key_name=path[-1])
        return None
    if name not in connections:
        draft.unknown("NAVE-C050", (*path, "to"), name, connections)
        return None
    return connections[name]


def _check_inside(
    draft: Draft, path: tuple[str, ...], source: SourceFile, connection: ConnectionConfig, layout: Any
) -> None:
    expect = source.expect
    assert expect is not None
    inside = bool(expect.control_total or expect.count or (expect.sequence and expect.sequence.path))
    if layout is None or (inside and layout.type not in _TRAILERS):
        kind = layout.type if layout is not None else connection.type
        draft.report("NAVE-K302", (*path, "expect"), key=True, type=kind)


def _check_rejects(draft: Draft, path: tuple[str, ...], source: SourceFile, options: BaseModel) -> None:
    layout: Any = getattr(options, "format", None)
    plain = layout.type in _WRITTEN and getattr(layout, "header", True) is True and not getattr(layout, "join", None)
    apart = getattr(options, "packed", None) or getattr(options, "join", None)
    if not plain or getattr(layout, "nested", False) or apart:
        draft.report("NAVE-K303", (*path, "rejects"), key=True, type=layout.type)
    if source.snapshot:
        draft.report("NAVE-K304", (*path, "rejects"), key=True)


def _check_receipt(draft: Draft, path: tuple[str, ...], source: SourceFile, options: BaseModel) -> None:
    assert source.receipt is not None
    pattern = str(getattr(options, "pattern", ""))
    written = f"{pattern.replace('*', 'x').replace('?', 'x')}.receipt.{source.receipt.format}"
    if source.receipt.file == BESIDE and fnmatch.fnmatchcase(written, pattern):
        draft.report("NAVE-K301", (*path, "receipt", "file"), file=written, pattern=pattern)

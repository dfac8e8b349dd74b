"""Checks what a source says of receipts, rejects and what it expects, against what its connector and format can do."""

from __future__ import annotations

import fnmatch
from typing import Any

from pydantic import BaseModel

from nave.config.draft import Draft
from nave.config.schema import SourceFile
from nave.config.shapes import ConnectionConfig

BESIDE = "beside"
"""The folder that files are dropped into, as a source's receipt may name it."""
_WRITTEN = frozenset({"csv", "json", "jsonl", "xlsx", "xml"})
_TRAILERS = frozenset({"csv", "json", "xml"})


def check_receipts(draft: Draft, name: str, source: SourceFile, connection: ConnectionConfig, options: BaseModel) -> None:
    """Report what cannot be done; nothing for a source that asks for nothing."""
    layout: Any = getattr(options, "format", None)
    path = ("sources", name)
    for key in ("receipt", "rejects"):
        if getattr(source, key) is not None and (connection.spec.watch is None or layout is None):
            draft.report("NAVE-K300", (*path, key), key=True, key_name=key, type=connection.type)
            return
    if source.expect is not None and source.expect.looks_inside:
        _check_inside(draft, path, source, connection, layout)
    if source.rejects is not None:
        _check_rejects(draft, path, source, layout)
    if source.receipt is not None:
        _check_receipt(draft, path, source, options)


def _check_inside(
    draft: Draft, path: tuple[str, ...], source: SourceFile, connection: ConnectionConfig, layout: Any
) -> None:
    expect = source.expect
    assert expect is not None
    inside = bool(expect.control_total or expect.count or (expect.sequence and expect.sequence.path))
    if layout is None or (inside and layout.type not in _TRAILERS):
        kind = layout.type if layout is not None else connection.type
        draft.report("NAVE-K302", (*path, "expect"), key=True, type=kind)


def _check_rejects(draft: Draft, path: tuple[str, ...], source: SourceFile, layout: Any) -> None:
    plain = layout.type in _WRITTEN and getattr(layout, "header", True) is True and not getattr(layout, "join", None)
    if not plain or getattr(layout, "nested", False):
        draft.report("NAVE-K303", (*path, "rejects"), key=True, type=layout.type)
    if source.snapshot:
        draft.report("NAVE-K304", (*path, "rejects"), key=True)


def _check_receipt(draft: Draft, path: tuple[str, ...], source: SourceFile, options: BaseModel) -> None:
    assert source.receipt is not None
    pattern = str(getattr(options, "pattern", ""))
    written = f"{pattern.replace('*', 'x').replace('?', 'x')}.receipt.{source.receipt.format}"
    if source.receipt.file == BESIDE and fnmatch.fnmatchcase(written, pattern):
        draft.report("NAVE-K301", (*path, "receipt", "file"), file=written, pattern=pattern)

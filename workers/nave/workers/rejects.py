"""Rejects: the refused lines of a file in its own layout, each with its reason; mended and dropped again they join it."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple

from nave.core import receipts
from nave.core.clock import id_number, id_text
from nave.core.entities import decode
from nave.core.errors import NaveError
from nave.core.journal import Landed, raw_record
from nave.core.protocols import Batch, Raw
from nave.core.receipts import Taken
from nave.core.store import Transaction
from nave.core.texts import LANGUAGES, message
from nave.formats import detect, write

LINE = "nave_line"
"""The column that says which line of which file this was: `01JD5K7WQX2VH:17`."""
OWN = (LINE, "nave_code", "nave_field", "nave_reason", "nave_raw")
_RAN = re.compile(r"'*(?:[\t\r]|\s*[=+\-@＝＋－＠])")
_PLAIN = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*%?")
_AGAIN = re.compile(r"\.rejects(-[0-9A-Z]{13})?$")
_DELIMITERS = ",;\t|"


def is_mended(record: Mapping[str, Any]) -> bool:
    """Whether a record comes from a file of rejects."""
    return LINE in record


def file_name(taken: Taken) -> str:
    """`orders_1.csv` -> `orders_1.rejects-01JD5K7WQX2VH.csv`: another file of the same name does not replace it."""
    stem, dot, ending = taken.name.rpartition(".")
    stem, ending = (stem, f".{ending}") if dot else (taken.name, "")
    return f"{_AGAIN.sub('', stem)}.rejects-{id_text(taken.id)}{ending}"


def rows(taken: Taken, letters: Iterable[Any], layout: Any, codec: str) -> Iterator[Raw]:
    """The refused lines as records of the layout, with their reasons behind."""
    for letter in letters:
        spread = letter.stage != "read"
        record: Raw = dict(raw_record(letter.raw)) if spread else {}
        for name in OWN:
            record.pop(name, None)
        if layout.type == "csv":
            record = {name: _harmless(value) for name, value in record.items()}
        yield record | {
            LINE: f"{id_text(taken.id)}:{letter.place}",
            "nave_code": letter.code,
            "nave_field": letter.field or "",
            "nave_reason": _reason(letter, codec),
            "nave_raw": "" if spread else (_harmless(letter.raw) if layout.type == "csv" else letter.raw),
        }


def _reason(letter: Any, codec: str) -> str:
    """In both languages, where the file's encoding has room for them."""
    params = {name: value for name, value in decode(letter.params).items() if name not in ("code", "part", "language")}
    texts = [" ".join(message(letter.code, "text", language, **params).split()) for language in LANGUAGES]
    both = " | ".join(texts)
    try:
        both.encode(codec)
    except UnicodeEncodeError:
        both = texts[0].encode(codec, "replace").decode(codec)
    return both


def _harmless(value: Any) -> Any:
    """Text that a spreadsheet shows and does not run, in a form that `_plain` takes back."""
    runs = isinstance(value, str) and _RAN.match(value) and not _PLAIN.fullmatch(value)
    return f"'{value}" if runs else value


def _plain(value: Any) -> Any:
    guarded = isinstance(value, str) and value.startswith("'") and _RAN.match(value[1:])
    return value[1:] if guarded else value


def write_rejects(taken: Taken, letters: Sequence[Any], layout: Any, like: bytes, stream: BinaryIO) -> None:
    """Write a file of rejects; encoding, delimiter and columns are those of a file that begins `like` this, if any does."""
    shape = _shape(layout, like)
    if shape.codec == "utf-8-sig" and layout.type == "csv":
        stream.write(b"\xef\xbb\xbf")
    codec = shape.codec.removesuffix("-sig")
    given = {"encoding": codec, "delimiter": shape.delimiter, "skip": 0, "spreadsheet": False}
    own = type(layout).model_fields
    written = layout.model_copy(update={name: value for name, value in given.items() if name in own})
    found = list(rows(taken, letters, layout, codec))
    if layout.type not in ("csv", "xlsx"):
        write(({name: v for name, v in row.items() if v != "" or name not in OWN} for row in found), stream, written)
        return
    if layout.type == "csv":
        stream.write("".join(shape.before).encode(codec))
        found = [_unquoted(row, shape.delimiter) for row in found] if layout.quote is None else found
    columns = shape.names or list(dict.fromkeys(name for row in found for name in row if name not in OWN))
    write(found, stream, written, [*columns, *OWN])


def _unquoted(row: Raw, delimiter: str) -> Raw:
    """What is ours, as a layout without quotes can hold it."""
    return row | {name: " ".join(str(row[name]).replace(delimiter, " ").split()) for name in OWN}


class _Shape(NamedTuple):
    """How a file is laid out."""

    codec: str
    delimiter: str
    names: Sequence[str] = ()
    before: Sequence[str] = ()
    """Lines above the header."""


def _shape(layout: Any, head: bytes) -> _Shape:
    """As a file has it that begins so; what is not to be learned is UTF-8 with commas."""
    codec = getattr(layout, "encoding", "utf-8")
    delimiter = getattr(layout, "delimiter", ",")
    if codec == "auto":
        codec = _codec(head)
    if layout.type != "csv":
        return _Shape(codec, delimiter)
    listed = head.decode(codec, "replace").lstrip("\ufeff").split("\n")
    line = next(iter(listed[layout.skip : layout.skip + 1]), "").rstrip("\r")
    if delimiter == "auto":
        delimiter = max(_DELIMITERS, key=re.sub(r'"[^"]*"', "", line).count)
    known = [f"{one.rstrip(chr(13))}\r\n" for one in listed[: layout.skip]]
    before = [*known, *["\r\n"] * (layout.skip - len(known))]
    quoting: Any = {"quoting": csv.QUOTE_NONE} if layout.quote is None else {"quotechar": layout.quote}
    names = next(csv.reader([line], delimiter=delimiter, **quoting), []) if line else []
    return _Shape(codec, delimiter, [name for name in names if name not in OWN], before)


def _codec(head: bytes) -> str:
    if head.startswith(b"\xef\xbb\xbf") or not head:
        return "utf-8-sig" if head else "utf-8"
    try:
        return detect(head, None)
    except NaveError:
        return "utf-8"


def taken_apart(batch: Batch) -> tuple[Batch, dict[int, set[int]]]:
    """A batch without the columns of rejects, and which lines of which receipts it mends; most batches mend none."""
    if not any(LINE in record for record in batch.records):
        return batch, {}
    mended: dict[int, set[int]] = {}
    records = [_mended(record, mended) if LINE in record else record for record in batch.records]
    return replace(batch, records=records), mended


def _mended(record: Raw, mended: dict[int, set[int]]) -> Raw:
    receipt, _, line = str(record[LINE]).strip().partition(":")
    number = id_number(receipt)
    if number is not None and line.isascii() and line.isdigit() and len(line) < 10:
        mended.setdefault(number, set()).add(int(line))
    return {name: _plain(value) for name, value in record.items() if name not in OWN}


def settle(tx: Transaction, source: str, mended: Mapping[int, set[int]], batch: Batch, landed: Landed, now: float) -> int:
    """Close the letters of mended lines in the transaction that lands them; how many lines that were."""
    by = f"file {batch.origin.get('file', '')}"
    settled, records = receipts.settle_lines(tx, source, mended, by, now)
    if records and landed.journal_id is not None:
        receipts.count_less(tx, landed.journal_id, records)
    return settled

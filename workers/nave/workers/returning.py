"""Writes back what became of each file: a receipt, and the refused lines to be mended, as files that appear whole.

Level-triggered: whoever looks compares what should lie there with what was written last, so a look too many writes nothing,
and one that was missed is made up for by the next.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import IO, Any, BinaryIO
from uuid import uuid4
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

import sqlalchemy as sa
import structlog

from nave.core import receipts
from nave.core.clock import moment
from nave.core.errors import NaveError
from nave.core.receipts import Taken
from nave.core.store import Store
from nave.core.store import schema as t
from nave.formats import CsvFormat, write
from nave.workers.flows import Hub, Returns, SourceFlow
from nave.workers.receipts import Summary, head, line_data, lines
from nave.workers.rejects import file_name, write_rejects

_log = structlog.get_logger()
_AT_ONCE = 20
"""Files that one look is given to."""
_ALL = 200
_SHARE, _LONGEST = 0.1, 300.0
"""The next look comes after this share of a file's age, and after so many seconds at most."""
_MOST_REJECTS = 10_000
"""Lines of one file of rejects: whoever has more to mend had better send the whole file again."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_COLUMNS = (
    "receipt",
    "file",
    "line",
    "key",
    "state",
    "code",
    "field",
    "text_en",
    "text_zh",
    "waits_for",
    "by",
    "letter",
)


def write_back(hub: Hub, *, everything: bool = False) -> int:
    """Look at the files of which something may have changed, all of them with `everything`; how many were written."""
    flows = {name: flow for name, flow in hub.sources.items() if flow.returns is not None}
    if not flows:
        return 0
    now = hub.clock()
    with hub.store.read() as tx:
        listed = receipts.due(tx, flows, None if everything else now, _ALL if everything else _AT_ONCE)
    return sum(_looked_at(hub.store, flows[taken.source], taken, now) for taken in listed)


def _looked_at(store: Store, flow: SourceFlow, taken: Taken, now: float) -> bool:
    wrote = dict(taken.wrote or {})
    summary = Summary()
    try:
        with tempfile.TemporaryFile() as spool:
            refused = _spooled(store, flow, taken, summary, spool)
            wrote |= _written(store, flow, taken, summary, spool, refused)
    except (OSError, NaveError) as error:
        _log.warning("receipt.failed", source=taken.source, file=taken.name, reason=str(error))
        final = False
    else:
        final = summary.final(taken)
    pause = min(_LONGEST, max(1.0, (now - taken.at) * _SHARE))
    with store.write() as tx:
        receipts.looked(tx, taken.id, wrote, None if final else now + pause)
    return wrote != (taken.wrote or {})


def _spooled(store: Store, flow: SourceFlow, taken: Taken, summary: Summary, spool: IO[bytes]) -> list[int]:
    """Put every line into the spool; the letters of those that are refused."""
    refused: list[int] = []
    for one in lines(store, flow, taken, summary):
        spool.write(json.dumps(line_data(one), ensure_ascii=False).encode() + b"\n")
        if one.state == "refused" and one.letter is not None and len(refused) < _MOST_REJECTS:
            refused.append(one.letter.id)
    return refused


def _written(
    store: Store,
    flow: SourceFlow,
    taken: Taken,
    summary: Summary,
    spool: IO[bytes],
    refused: list[int],
) -> dict[str, str]:
    """What was written, by its kind: the hash of its content."""
    returns, wrote = flow.returns, taken.wrote or {}
    assert returns is not None
    done: dict[str, str] = {}
    if returns.receipt is not None:
        with store.read() as tx:
            top = head(taken, summary, receipts.refusal(tx, taken))
            newer = receipts.by_name(tx, taken.name, 1, taken.source)[0].id != taken.id
        if not newer:  # whose receipt has that name now
            where = (returns.receipt, f"{taken.name}.receipt.{returns.receipt_format}")
            form = _FORMS[returns.receipt_format]
            done["receipt"] = _put(returns, where, lambda out: form(top, _lines(spool), out), wrote.get("receipt"))
    if returns.rejects is not None and summary.judged(taken):
        done |= _rejected(store, returns, taken, refused)
    return done


def _rejected(store: Store, returns: Returns, taken: Taken, refused: list[int]) -> dict[str, str]:
    assert returns.rejects is not None
    name, before = file_name(taken), (taken.wrote or {}).get("rejects")
    if not refused:
        if before:
            _take_back(returns, name, before)
        return {"rejects": ""} if before else {}
    letters = _letters(store, refused)
    like = _original(returns, taken)
    where = (returns.rejects, name)
    return {"rejects": _put(returns, where, lambda out: write_rejects(taken, letters, returns.layout, like, out), before)}


def _letters(store: Store, numbers: list[int]) -> list[Any]:
    d = t.dead_letter.c
    found: list[Any] = []
    with store.read() as tx:
        for start in range(0, len(numbers), 500):
            some = numbers[start : start + 500]
            found += tx.rows(sa.select(t.dead_letter).where(tx.among(d.id, some)))
    return sorted(found, key=lambda letter: letter.place)


def _original(returns: Returns, taken: Taken) -> Path | None:
    """The file itself, where it was put away and still lies."""
    for days in (0, 1, -1):
        day = moment(taken.ended_at or taken.at).astimezone(returns.zone) + timedelta(days=days)
        path = returns.root / returns.archive / f"{day:%Y-%m-%d}" / taken.name
        if path.is_file() and not path.is_symlink() and path.stat().st_size == taken.origin.get("size"):
            return path
    return None


def _put(returns: Returns, where: tuple[str, str], fill: Callable[[BinaryIO], object], before: str | None) -> str:
    """Write a file that appears whole or not at all, unless it was written like this before; the hash of its content.

    `where` is a folder inside the one that files are dropped into, and a name.
    """
    with tempfile.TemporaryFile() as made:
        fill(made)
        made.seek(0)
        digest = hashlib.file_digest(made, "sha256").hexdigest()
        if digest != before:
            made.seek(0)
            with _room(returns.root, where[0]) as room:
                _appear(room, where[1], made)
    return digest


@contextmanager
def _room(root: Path, inner: str) -> Iterator[int]:
    """The folder, made if need be, but for its root, which may be a disk that is away; no link inside it is followed."""
    with ExitStack() as stack:
        room = os.open(root, _FOLDER)
        stack.callback(os.close, room)
        for part in inner.split("/") if inner else ():
            with suppress(FileExistsError):
                os.mkdir(part, 0o750, dir_fd=room)
            room = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=room)
            stack.callback(os.close, room)
        yield room


def _appear(room: int, name: str, content: BinaryIO) -> None:
    """By way of a name that nobody takes for input."""
    part = f".{uuid4().hex}.part"
    made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640, dir_fd=room)
    try:
        with os.fdopen(made, "wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, name, src_dir_fd=room, dst_dir_fd=room)
    except BaseException:
        os.unlink(part, dir_fd=room)
        raise
    os.fsync(room)


def _take_back(returns: Returns, name: str, digest: str) -> None:
    """Remove rejects of which nothing is left to be mended, unless somebody has begun to."""
    with _room(returns.root, returns.rejects or "") as room, suppress(FileNotFoundError):
        with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=room), "rb") as file:
            ours = hashlib.file_digest(file, "sha256").hexdigest() == digest
        if ours:
            os.unlink(name, dir_fd=room)
            os.fsync(room)


def _lines(spool: IO[bytes]) -> Iterator[dict[str, Any]]:
    spool.seek(0)
    return (json.loads(line) for line in spool)


def _as_json(top: Mapping[str, Any], told: Iterable[dict[str, Any]], out: BinaryIO) -> None:
    start = json.dumps(dict(top), ensure_ascii=False, indent=1)
    out.write(start.removesuffix("\n}").encode() + b',\n "lines": [')
    for number, one in enumerate(told):
        out.write((b",\n  " if number else b"\n  ") + json.dumps(one, ensure_ascii=False).encode())
    out.write(b"\n ]\n}\n")


def _as_csv(top: Mapping[str, Any], told: Iterable[dict[str, Any]], out: BinaryIO) -> None:
    shared = {"receipt": top["receipt"], "file": top["file"]}
    whole = [{"state": "refused", **top["refused_whole"]}] if top["refused_whole"] else []
    rows = (shared | one for part in (told, whole) for one in part)
    write(rows, out, CsvFormat(spreadsheet=True), list(_COLUMNS))


def _as_xml(top: Mapping[str, Any], told: Iterable[dict[str, Any]], out: BinaryIO) -> None:
    xml = XMLGenerator(out, encoding="utf-8", short_empty_elements=True)
    xml.startDocument()
    plain = {name: _text(value) for name, value in top.items() if not isinstance(value, dict) and value is not None}
    xml.startElement("receipt", AttributesImpl(plain))
    xml.startElement("counts", AttributesImpl({name: str(count) for name, count in top["counts"].items()}))
    xml.endElement("counts")
    for name, one in chain([("refused", top["refused_whole"])], (("line", line) for line in told)):
        if one:
            xml.startElement(name, AttributesImpl({key: _text(value) for key, value in one.items() if value is not None}))
            xml.endElement(name)
            xml.ignorableWhitespace("\n")
    xml.endElement("receipt")
    xml.endDocument()


def _text(value: Any) -> str:
    """As XML can hold it."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "".join(
        c if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff") else "?" for c in text
    )


_FORMS: Mapping[str, Callable[[Mapping[str, Any], Iterable[dict[str, Any]], BinaryIO], None]] = {
    "json": _as_json,
    "csv": _as_csv,
    "xml": _as_xml,
}

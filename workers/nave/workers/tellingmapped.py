"""Tells somebody in a form of the company's own what became of a file or a request, record by record, through a mapping.

What was told of each record is noted, so that only what is told anew goes out. As in `telling`, a number is noted before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from nave.core import receipts
from nave.core.entities import encode
from nave.core.errors import NaveError
from nave.core.protocols import Outbound
from nave.core.receipts import Taken
from nave.workers.flows import Form
from nave.workers.objects import documents
from nave.workers.receipts import Look
from nave.workers.telling import Told, last_told

_log = structlog.get_logger()


def tell_mapped(told: Told, form: Form, look: Look, seen: Taken) -> tuple[Taken, NaveError | None]:
    """Tell what is new since it was told last; with the error of the first record that cannot be mapped."""
    if look.things is None or look.top["read"] == "reading":
        return seen, None
    ripe = [one for one in documents(look, look.things, by_line=form.by_line) if _ripe(form, one[1])]
    made = dict(zip((line for line, _ in ripe), form.mapping.run([one for _, one in ripe]), strict=True))
    errors = [one for one in made.values() if isinstance(one, NaveError)]
    values = {line: one for line, one in made.items() if not isinstance(one, NaveError)}
    return _tell(told, seen, values), next(iter(errors), None)


def _ripe(form: Form, document: Mapping[str, Any]) -> bool:
    if form.complete:
        return bool(document["complete"])
    return all(one["state"] != "pending" for one in document["objects"])


def _tell(told: Told, seen: Taken, values: Mapping[int, Mapping[str, Any]]) -> Taken:
    wrote, kept = seen.wrote or {}, f"{told.kind}.lines"
    before: dict[str, str] = json.loads(wrote.get(kept) or "{}")
    now = {str(line): hashlib.sha256(encode(one).encode()).hexdigest()[:16] for line, one in values.items()}
    new = [line for line in values if before.get(str(line)) != now[str(line)]]
    if not new:
        return seen
    number, mark, noted = last_told(wrote.get(told.kind, ""))
    digest = hashlib.sha256(json.dumps([(line, now[str(line)]) for line in new]).encode()).hexdigest()
    if mark != "?" or noted != digest:
        number += 1
        seen = told.intend(seen, f"{number}?{digest}")
    refused = told.write(_outbound(seen, new, values, number))
    if refused is not None:
        _log.error("receipt.refused", source=seen.source, receipt=seen.text, way=told.kind, reason=str(refused))
    seen = receipts.noted(seen, kept, json.dumps(before | now))
    return receipts.noted(seen, told.kind, f"{number}{'=' if refused is None else '!'}{digest}")


def _outbound(seen: Taken, lines: Sequence[int], values: Mapping[int, Mapping[str, Any]], number: int) -> list[Outbound]:
    return [Outbound(f"{seen.text}:{line}" if line else seen.text, number, values[line]) for line in lines]

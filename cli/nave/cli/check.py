"""`nave check`: everything that is wrong with a hub folder, at once and without touching any network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from nave.cli import exits
from nave.cli.hubs import examined, read
from nave.cli.overlap import overlapping_parts
from nave.cli.rows import unreached_rows
from nave.cli.session import Session
from nave.cli.tested import unread_fields
from nave.config import HubConfig, Problem, in_order


def check(session: Session) -> int:
    """Show all problems; 1 if one of them is an error."""
    loaded = read(session)
    compiled, problems = examined(loaded)
    problems = in_order([*problems, *unread_fields(compiled), *unreached_rows(compiled), *overlapping_parts(compiled)])
    session.answer(_data(problems, session), _lines(problems, session, loaded.partial))
    return exits.PROBLEM if _count(problems, "error") else exits.FINE


def _count(problems: Iterable[Problem], severity: str) -> int:
    return sum(one.severity == severity for one in problems)


def _data(problems: Sequence[Problem], session: Session) -> dict[str, object]:
    return {
        "errors": _count(problems, "error"),
        "warnings": _count(problems, "warning"),
        "problems": [one.as_json(session.language) for one in problems],
    }


def _lines(problems: Sequence[Problem], session: Session, config: HubConfig) -> Iterator[str]:
    page, words = session.page, session.words
    for one in problems:
        place, *rest = one.render(session.language).split("\n")
        yield page.style(place, "bold")
        yield from rest
    files = {*config.documents, *(f"tables/{name}.csv" for name in config.tables)}
    bad = {one.file for one in problems}
    counts = words.listed(
        words.counted(f"check.{kind}s", _count(problems, kind)) for kind in ("error", "warning") if _count(problems, kind)
    )
    if not bad:
        yield words.counted("check.fine", len(files))
    else:
        yield words("check.sum", files=words.counted("check.files", len(bad), good=len(files - bad)), counts=counts)

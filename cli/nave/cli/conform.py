"""`nave connector conform NAME`: a connector against a peer that misbehaves, and the promises it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from nave.cli import exits
from nave.cli.session import Session
from nave.cli.tables import Cell, Row
from nave.core.errors import ConfigError

GROUP = "nave.conformance"
_PROMISES = ("lost", "twice", "clear", "ends")


class _Report(Protocol):
    @property
    def broken(self) -> Sequence[tuple[str, str, str]]: ...

    def lines(self, language: str) -> Sequence[Mapping[str, str]]: ...


class Declared(Protocol):
    """What an entry point of the group names: a declaration of the kit's, or whatever runs like one."""

    def run(self, config: Mapping[str, Any] | None = None) -> _Report:
        """Try the connector; ConfigError where the declaration or the configuration does not do."""


def conform(session: Session, name: str, config: Path | None) -> int:
    """A table per way of using the connector; the exit status says whether all promises were kept."""
    report = declared(name).run(_read(config))
    rows = [dict(row) for row in report.lines(session.language)]
    broken = [{"way": way, "behaviour": behaviour, "promise": promise} for way, behaviour, promise in report.broken]
    data = {"connector": name, "rows": rows, "broken": broken}
    session.answer(data, _page(session, rows), rows="rows")
    if session.human:
        session.remark("conform.broken" if broken else "conform.kept", name=name, count=len(broken))
    return exits.PROBLEM if broken else exits.FINE


def declared(name: str) -> Declared:
    """The declaration of a connector, loaded now; a ConfigError names the connectors that have one."""
    known = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in known:
        near = ", ".join(get_close_matches(name, known) or sorted(known)) or "-"
        raise ConfigError("NAVE-K320", name=name[:80], known=near)
    found: Declared = known[name].load()
    return found


def _page(session: Session, rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    page = session.page
    no = page.words("connector.no")
    columns = page.columns("conform", "behaviour", *_PROMISES, "said", elastic="said", spare="said")
    for way in dict.fromkeys(row["way"] for row in rows):
        yield page.style(way, "bold")
        shown: list[Row] = [
            (row["behaviour"], *(Cell(row[one], "bad" if row[one] == no else "") for one in _PROMISES), row["said"])
            for row in rows
            if row["way"] == way
        ]
        yield from page.table(columns, shown)
        yield ""


def _read(file: Path | None) -> Mapping[str, Any] | None:
    if file is None:
        return None
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError("NAVE-K323", file=str(file), reason=str(error).splitlines()[0][:200]) from error
    if not isinstance(found, dict):
        raise ConfigError("NAVE-K323", file=str(file), reason=type(found).__name__)
    return found

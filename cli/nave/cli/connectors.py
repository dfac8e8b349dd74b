"""`nave connector list`: the connectors that are installed, and what each of them can do."""

from __future__ import annotations

from typing import Any

from nave.cli.session import Session
from nave.core.protocols import ConnectorSpec
from nave.core.registry import connector, find_connectors


def list_connectors(session: Session) -> None:
    """One line per connector; one that cannot be loaded says why."""
    rows = [_row(name) for name in sorted(find_connectors())]
    page = session.page
    columns = page.columns("connector", "name", "in", "out", "asks", "about", elastic="about")
    lines = page.table(
        columns,
        [
            (row["name"], *(page.words(f"connector.{row[side]}") for side in ("in", "out", "probe")), row["summary"])
            for row in rows
        ],
    )
    session.answer({"connectors": rows}, lines, rows="connectors")


def _row(name: str) -> dict[str, Any]:
    try:
        spec = connector(name)
    except ImportError as error:
        return {"name": name, "in": "no", "out": "no", "probe": "no", "summary": str(error)}
    return {
        "name": name,
        "in": _way_in(spec),
        "out": "yes" if spec.sink else "no",
        "probe": "yes" if spec.probe else "no",
        "summary": spec.summary,
    }


def _way_in(spec: ConnectorSpec) -> str:
    if spec.pushed:
        return "pushed"
    return "yes" if spec.source else "no"

"""What tests look at and what they do not: for each mapping the share of its fields, and those that nobody expects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nave.cli.page import Page
from nave.cli.tested import covered
from nave.workers.build import Compilation


@dataclass(frozen=True)
class Looked:
    """One mapping: how many of its fields tests look at, and the others with their lines."""

    mapping: str
    file: str
    tested: int
    untested: Sequence[tuple[str, int]]

    def as_data(self) -> dict[str, Any]:
        return {
            "mapping": self.mapping,
            "file": self.file,
            "fields": self.tested + len(self.untested),
            "tested": self.tested,
            "untested": [{"field": field, "line": line} for field, line in self.untested],
        }


def looked_at(compiled: Compilation, names: Sequence[str]) -> list[Looked]:
    """The coverage of these mappings; those that nobody uses are left out."""
    found = []
    for name in names:
        coverage = covered(compiled, name)
        if coverage is not None:
            document = compiled.config.mappings[name]
            untested = [(way.target, document.position(way.at)[0]) for way in coverage.untested]
            found.append(Looked(name, document.file, len(coverage.tested), untested))
    return found


def coverage_lines(found: Sequence[Looked], page: Page) -> Iterator[str]:
    """For people: a table of mappings, and below it each field that nobody expects."""
    yield ""
    columns = page.columns("coverage", "mapping", "fields", "tested", "share", right="fields tested share")
    yield from page.table(columns, [(one.mapping, *_numbers(one.tested, len(one.untested))) for one in found])
    for one in found:
        for field, line in one.untested:
            yield f"{one.file}:{line}: {page.words('coverage.untested', field=field)}"
    yield page.words("coverage.sum", share=_numbers(sum(x.tested for x in found), sum(len(x.untested) for x in found))[2])


def _numbers(tested: int, untested: int) -> tuple[int, int, str]:
    """All fields, those that are tested, and their share."""
    whole = tested + untested
    return whole, tested, f"{100 * tested // whole if whole else 100} %"

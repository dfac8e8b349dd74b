"""Mappings together with the tests beside them: which cases there are, how they went, and what nobody reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nave.config import Document, Draft, Filled, Problem
from nave.core.entities import EntityType
from nave.mappings import CaseResult, Inbound, OutboundMapping, TestFile, run_case, untested
from nave.workers.build import Compilation

UNREAD = "NAVE-E230"


@dataclass(frozen=True)
class CaseRun:
    """One case, where it stands, and how it went."""

    result: CaseResult
    file: str
    line: int


@dataclass(frozen=True)
class MappingRun:
    """All cases of one mapping."""

    mapping: str
    cases: Sequence[CaseRun] = ()
    untested: Sequence[str] = ()
    problems: Sequence[Problem] = ()
    """What is wrong with the test file itself."""
    compiled: bool = True

    @property
    def failed(self) -> int:
        """Cases that went otherwise than they say, and files that cannot be run."""
        broken = bool(self.problems) or not self.compiled
        return sum(not one.result.passed for one in self.cases) + broken


@dataclass(frozen=True)
class _Use:
    """A mapping as one source or sink uses it."""

    mapping: Inbound | OutboundMapping
    entity: EntityType


def run_tests(compiled: Compilation, names: Sequence[str]) -> Iterator[MappingRun]:
    """Run the cases of these mappings."""
    uses = _uses(compiled)
    for name in names:
        yield _run(compiled.config.tests[name], name, uses.get(name))


def _run(document: Document, name: str, use: _Use | None) -> MappingRun:
    file, problems = cases_of(document)
    if use is None or file is None or problems:
        return MappingRun(name, problems=problems, compiled=use is not None)
    runs = [
        CaseRun(run_case(use.mapping, use.entity, case), document.file, document.position(("cases", place))[0])
        for place, case in enumerate(file.cases)
    ]
    return MappingRun(name, runs, untested(use.mapping, file.cases))


def cases_of(document: Document) -> tuple[TestFile | None, list[Problem]]:
    """The cases in a test file, and what is wrong with it."""
    draft = Draft(Filled(document, document.data))
    return draft.check(TestFile, document.data), draft.safe_problems()


def _uses(compiled: Compilation) -> dict[str, _Use]:
    """By mapping: how it is used; the first source or sink that names it speaks for all."""
    config = compiled.config
    found: dict[str, _Use] = {}
    flows: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [
        (config.sources, compiled.inbound),
        (config.sinks, compiled.outbound),
    ]
    for listed, mappings in flows:
        for name, flow in listed.items():
            if name in mappings:
                found.setdefault(flow.mapping, _Use(mappings[name], config.entities[flow.entity].entity))
    return found


def unread_fields(compiled: Compilation) -> list[Problem]:
    """A warning for each field that stands in a test's record and that neither the mapping nor its `drop` knows."""
    config = compiled.config
    found: list[Problem] = []
    for name, use in _uses(compiled).items():
        document = config.tests.get(name)
        if document is not None and isinstance(use.mapping, Inbound):
            found += _unread(name, document, use.mapping)
    return found


def _unread(name: str, document: Document, mapping: Inbound) -> Iterator[Problem]:
    file, problems = cases_of(document)
    if file is None or problems:
        return
    told: set[str] = set()
    for place, case in enumerate(file.cases):
        for path in sorted(mapping.unread([case.given]) - told):
            told.add(path)
            where = ("cases", place, "given", re.split(r"[.\[]", path)[0])
            params = {"name": path, "mapping": name}
            yield document.problem(UNREAD, where, severity="warning", key=True, params=params)

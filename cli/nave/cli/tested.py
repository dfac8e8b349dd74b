"""Mappings together with the tests beside them: which cases there are, how they went, and what nobody reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nave.config import Document, Draft, Filled, Problem
from nave.core.entities import EntityType
from nave.core.told import receipt_type
from nave.mappings import (
    CaseResult,
    Coverage,
    Inbound,
    MappingSpec,
    OutboundMapping,
    Part,
    TestCase,
    TestFile,
    Way,
    coverage,
    run_case,
    untested,
    ways_of,
    ways_of_part,
)
from nave.mappings.lineage import unread
from nave.workers.build import Compilation, spec_of

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
    parts: Mapping[str, Part]

    @property
    def used(self) -> frozenset[tuple[str, ...]]:
        """Source paths that the mapping or one of its parts reads, or leaves out on purpose."""
        return self.mapping.used.union(*(part.used for part in self.parts.values()))


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
        CaseRun(run_case(use.mapping, use.entity, case, use.parts), document.file, document.position(("cases", place))[0])
        for place, case in enumerate(file.cases)
    ]
    return MappingRun(name, runs, untested(use.mapping, file.cases, use.parts))


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
                entity = config.entities[flow.entity].entity
                found.setdefault(flow.mapping, _Use(mappings[name], entity, compiled.parts.get(name, {})))
    for mapping in compiled.receipts.values():
        found.setdefault(mapping.name, _Use(mapping, receipt_type(), {}))
    return found


def unread_fields(compiled: Compilation) -> list[Problem]:
    """A warning for each field that stands in a test's record and that neither the mapping nor its `drop` knows."""
    config = compiled.config
    found: list[Problem] = []
    for name, use in _uses(compiled).items():
        document = config.tests.get(name)
        if document is not None and isinstance(use.mapping, Inbound):
            found += _unread(name, document, use)
    return found


def _unread(name: str, document: Document, use: _Use) -> Iterator[Problem]:
    file, problems = cases_of(document)
    if file is None or problems:
        return
    told: set[str] = set()
    for place, case in enumerate(file.cases):
        for path in sorted(unread([case.given], use.used) - told):
            told.add(path)
            where = ("cases", place, "given", re.split(r"[.\[]", path)[0])
            params = {"name": path, "mapping": name}
            yield document.problem(UNREAD, where, severity="warning", key=True, params=params)


def covered(compiled: Compilation, name: str) -> Coverage | None:
    """How much of a mapping its cases look at; None for one that nobody uses or that cannot be compiled."""
    use, spec = _uses(compiled).get(name), spec_of(compiled.config, name)
    if use is None or spec is None:
        return None
    document = compiled.config.tests.get(name)
    file = cases_of(document)[0] if document is not None else None
    cases = file.cases if file else []
    found = [coverage(ways_of(spec, use.mapping), [(case.expect, case.expect_error) for case in cases])]
    found += [_of_part(spec, part, cases) for part in use.parts.values()]
    return Coverage([one for each in found for one in each.tested], [one for each in found for one in each.untested])


def _of_part(spec: MappingSpec, part: Part, cases: Sequence[TestCase]) -> Coverage:
    """The fields of a part, named `buyer.name`."""
    said = [(one.expect, one.expect_error) for case in cases for one in case.also.get(part.part, ())]
    found = coverage(ways_of_part(spec, part), said)
    untested = [_named(way, part.part) for way in found.untested]
    return Coverage([f"{part.part}.{name}" for name in found.tested], untested)


def _named(way: Way, part: str) -> Way:
    return replace(way, target=f"{part}.{way.target}")

"""`nave test`: runs the cases beside the mappings and says, field by field, what came out otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from nave.cli import exits
from nave.cli.covering import coverage_lines, looked_at
from nave.cli.failures import Stop
from nave.cli.hubs import examined, find_folder, nearest, read
from nave.cli.page import Page
from nave.cli.session import Session
from nave.cli.tested import CaseRun, MappingRun, run_tests
from nave.cli.watching import again


def test(session: Session, *, select: str | None, junit: Path | None, coverage: bool, watch: bool) -> int:
    """Run all cases, or those of mappings whose name holds or fits `select`; 1 if one of them failed.

    With `coverage`, mappings without tests count too, and every field that no case expects anything of is listed. With
    `watch`, again whenever a file of the hub changes, until somebody interrupts.
    """
    once = partial(_once, session, select, junit, coverage=coverage)
    return again(session, find_folder(session), once) if watch else once()


def _once(session: Session, select: str | None, junit: Path | None, *, coverage: bool) -> int:
    loaded = read(session)
    compiled, problems = examined(loaded)
    names = _selected(sorted({*loaded.partial.tests, *(loaded.partial.mappings if coverage else ())}), select)
    runs = list(run_tests(compiled, [name for name in names if name in loaded.partial.tests]))
    if any(not run.compiled for run in runs):
        for one in (problem for problem in problems if problem.severity == "error"):
            session.note(one.render(session.language))
    data, lines = _data(runs, session.language), _lines(runs, session.page, brief=coverage)
    if coverage:
        found = looked_at(compiled, names)
        data["coverage"] = [one.as_data() for one in found]
        lines = chain(lines, coverage_lines(found, session.page))
    session.answer(data, lines, rows="cases")
    if junit is not None:
        _write_junit(junit, runs)
    return exits.PROBLEM if any(run.failed for run in runs) else exits.FINE


def _selected(names: Sequence[str], select: str | None) -> list[str]:
    if not select:
        return list(names)
    found = [name for name in names if select in name or fnmatchcase(name, select)]
    if not found:
        raise Stop(exits.USAGE, "NAVE-E216", name=select[:80], near=nearest(select, names))
    return found


def _data(runs: Sequence[MappingRun], language: str) -> dict[str, Any]:
    cases = [_case_data(run, case) for run in runs for case in run.cases]
    passed = sum(case["passed"] for case in cases)
    return {
        "passed": passed,
        "failed": sum(run.failed for run in runs),
        "cases": cases,
        "untested": {run.mapping: list(run.untested) for run in runs if run.untested},
        "problems": [problem.as_json(language) for run in runs for problem in run.problems],
        "not_compiled": [run.mapping for run in runs if not run.compiled],
    }


def _case_data(run: MappingRun, case: CaseRun) -> dict[str, Any]:
    return {
        "mapping": run.mapping,
        "name": case.result.name,
        "passed": case.result.passed,
        "file": case.file,
        "line": case.line,
        "differences": [
            {"field": one.field, "expected": one.expected, "actual": one.actual} for one in case.result.differences
        ],
    }


def _lines(runs: Sequence[MappingRun], page: Page, *, brief: bool) -> Iterator[str]:
    for run in runs:
        yield f"{page.style(run.mapping, 'bold')}  {page.words.counted('test.cases', len(run.cases))}"
        for problem in run.problems:
            yield from (f"  {line}" for line in problem.render(page.words.language).split("\n"))
        if not run.compiled:
            yield f"  {page.style('FAIL', 'bad')}  {page.words('test.not_compiled')}"
        for case in run.cases:
            yield from _case_lines(case, page)
        if run.untested and not brief:
            yield page.style(f"        {page.words('test.untested', fields=', '.join(run.untested))}", "dim")
    passed = sum(case.result.passed for run in runs for case in run.cases)
    yield page.words("test.sum", passed=passed, failed=sum(run.failed for run in runs))


def _case_lines(case: CaseRun, page: Page) -> Iterator[str]:
    if case.result.passed:
        yield f"  {page.style('ok', 'good')}    {case.result.name}"
        return
    yield f"  {page.style('FAIL', 'bad')}  {case.result.name}"
    yield page.style(f"        {case.file}:{case.line}", "dim")
    for one in case.result.differences:
        absent = page.words("test.absent")
        pairs = [
            (page.words("test.expected"), one.expected if one.expected is not None else absent),
            (page.words("test.actual"), one.actual if one.actual is not None else absent),
        ]
        yield f"        {one.field}"
        yield from page.pairs(pairs, indent=10)


def _write_junit(path: Path, runs: Sequence[MappingRun]) -> None:
    """A JUnit XML report, which every CI server can show."""
    from xml.etree.ElementTree import Element, ElementTree, SubElement

    top = Element("testsuites")
    for run in runs:
        counts = {"tests": str(len(run.cases)), "failures": str(run.failed)}
        suite = SubElement(top, "testsuite", {"name": run.mapping, **counts})
        for case in run.cases:
            place = {"classname": run.mapping, "file": case.file, "line": str(case.line)}
            element = SubElement(suite, "testcase", {"name": case.result.name, **place})
            for one in case.result.differences:
                text = f"{one.field}: expected {one.expected}, actual {one.actual}"
                SubElement(element, "failure", message=text)
    ElementTree(top).write(path, encoding="utf-8", xml_declaration=True)

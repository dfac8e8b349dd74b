"""What the conformance kit says of `nc`, `ncfiles`, `ncc` and `u8`, and that their page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

import pytest

from nave.connectors.conformance import Report, Verdict
from nave.connectors.contracts import ConformanceContract
from nave.connectors.nc.conform import CONFORMANCE
from nave.connectors.nc.conform_files import CONFORMANCE as FILES_CONFORMANCE
from nave.connectors.nc.conform_others import NCC_CONFORMANCE, U8_CONFORMANCE
from nave.core.protocols import Outbound, Outcome, Receipt
from tests.connectors.conform_pages import differences

pytestmark = pytest.mark.timeout(300)


class OnThePage(ConformanceContract):
    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_its_page_shows_what_the_run_says(self, report: Report, language: str) -> None:
        assert not list(differences(report, language, sampled=False))


class TestNc(OnThePage):
    admitted = frozenset({("bills", "gbk", "clear")})
    """GBK under a declaration of UTF-8 is what NC sends every day: it is read, and nobody is told."""

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return CONFORMANCE.run()


class TestFiles(OnThePage):
    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return FILES_CONFORMANCE.run()


class Believing:
    """Takes a document that was put out for one that was booked."""

    def __init__(self, *opened: Any) -> None:
        assert FILES_CONFORMANCE.spec.sink is not None
        self._inner = FILES_CONFORMANCE.spec.sink(*opened)

    def __enter__(self) -> Believing:
        self._inner.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inner.__exit__(kind, error, trace)

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        return [replace(one, outcome=Outcome.ACCEPTED) for one in self._inner.write(records)]


def tried(behaviour: str, *, keyed: bool = True, **changes: Any) -> Mapping[str, Verdict]:
    ways = [replace(way, keyed=keyed) for way in FILES_CONFORMANCE.sinks]
    declared = replace(FILES_CONFORMANCE, spec=replace(FILES_CONFORMANCE.spec, **changes), sinks=ways)
    (row,) = declared.run(only=(behaviour,)).rows
    return row.verdicts


def test_who_takes_a_file_that_is_gone_for_a_yes_is_shown_to_lose_it() -> None:
    assert tried("silent", sink=Believing)["lost"] is Verdict.NO


def test_an_import_that_takes_every_file_as_new_is_shown_to_book_twice() -> None:
    assert tried("dropped", keyed=False)["twice"] is Verdict.NO


class TestU8(OnThePage):
    admitted = frozenset({(way, "gbk", "clear") for way in ("keyed", "bare")})
    """As with `nc`."""

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return U8_CONFORMANCE.run()


class TestNcc(OnThePage):
    admitted = frozenset({(way, "other", "clear") for way in ("keyed", "bare")})
    """An answer of NCC's does not say which record it is about."""

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return NCC_CONFORMANCE.run()

"""What the conformance kit says of `nc`, `ncc` and `u8`, and that their page shows it."""

from __future__ import annotations

import pytest

from nave.connectors.conformance import Report
from nave.connectors.contracts import ConformanceContract
from nave.connectors.nc.conform import CONFORMANCE
from nave.connectors.nc.conform_others import NCC_CONFORMANCE, U8_CONFORMANCE
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

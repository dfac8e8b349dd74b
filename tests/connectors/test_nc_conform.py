"""What the conformance kit says of `nc`, and that its page shows it."""

from __future__ import annotations

import pytest

from nave.connectors.conformance import Report
from nave.connectors.contracts import ConformanceContract
from nave.connectors.nc.conform import CONFORMANCE
from tests.connectors.conform_pages import differences

pytestmark = pytest.mark.timeout(300)


class TestNc(ConformanceContract):
    admitted = frozenset({("bills", "gbk", "clear")})
    """GBK under a declaration of UTF-8 is what NC sends every day: it is read, and nobody is told."""

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return CONFORMANCE.run()

    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_its_page_shows_what_the_run_says(self, report: Report, language: str) -> None:
        assert not list(differences(report, language, sampled=False))

"""The conformance kit and what stands in a plant, in the cloud and in K/3; what a report says in Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from nave.connectors.autoid.conform import CONFORMANCE as LINES
from nave.connectors.conformance import HttpConformance, Report, Verdict
from nave.connectors.conformance.words import worded
from nave.connectors.contracts import ConformanceContract
from nave.connectors.hr.conform import DINGTALK_CONFORMANCE, WECOM_CONFORMANCE
from nave.connectors.hr.conform_contacts import CONFORMANCE as CONTACTS_CONFORMANCE
from nave.connectors.hr.options import CloudOptions, CloudSourceOptions
from nave.connectors.hr.services import DINGTALK
from nave.connectors.hr.source import CloudSource
from nave.connectors.k3cloud.conform import CONFORMANCE as K3_CONFORMANCE
from nave.core.errors import NaveError
from nave.core.protocols import Batch, Setting
from tests.connectors.conform_pages import differences

pytestmark = pytest.mark.timeout(300)


class OfACloud(ConformanceContract):
    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_its_page_shows_what_the_run_says(self, report: Report, language: str) -> None:
        assert not list(differences(report, language, sampled=False))


class TestDingTalk(OfACloud):
    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return DINGTALK_CONFORMANCE.run()


class TestWeCom(OfACloud):
    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return WECOM_CONFORMANCE.run()


class TestContacts(OfACloud):
    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return CONTACTS_CONFORMANCE.run()


class TestK3(OfACloud):
    """Its numbers are looked for before anything is saved: a save whose answer is lost is never made a second record."""

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return K3_CONFORMANCE.run()


class TestLines(ConformanceContract):
    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return LINES.run(places=3, only=("refused", "unheard", "dropped", "half"))

    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_its_page_shows_what_the_run_says(self, report: Report, language: str) -> None:
        assert not list(differences(report, language, sampled=True))


@pytest.mark.long
def test_a_scanner_that_falls_silent_is_given_up_and_loses_nothing() -> None:
    report = LINES.run()

    assert not report.broken
    assert not [one for language in ("en", "zh") for one in differences(report, language, sampled=True)]


class Hasty(CloudSource):
    """Takes a service that makes no sense for one that has nothing."""

    def __init__(self, connection: CloudOptions, options: CloudSourceOptions, setting: Setting) -> None:
        super().__init__(DINGTALK, connection, options, setting)

    def read(self, after: str | None) -> Iterator[Batch]:
        with suppress(NaveError):
            yield from super().read(after)


def test_what_a_source_skips_is_said_in_both_languages() -> None:
    told = DINGTALK_CONFORMANCE
    declared = HttpConformance(replace(told.spec, source=Hasty), told.face, (), told.sources)

    report = declared.run(only=("page",))

    assert [row.verdicts["lost"] for row in report.rows] == [Verdict.NO, Verdict.NO]
    assert report.lines("en")[0]["said"] == "k0: skipped · nothing was said of it"
    assert report.lines("zh")[0]["said"] == "k0：被跳过 · 没有报告任何问题"


def test_whoever_has_another_record_s_answer_is_named_in_both_languages() -> None:
    said = worded("mistaken", key="k0", name="Rk1")

    assert dict(said) == {"en": "k0: has the answer of Rk1", "zh": "k0：得到的是 Rk1 的应答"}

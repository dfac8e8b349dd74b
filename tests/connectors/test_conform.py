"""The conformance kit: what it says of the connectors that speak HTTP, and that it finds one that breaks a promise."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from nave.connectors.conformance import HttpConformance, Report, Verdict
from nave.connectors.contracts import ConformanceContract
from nave.connectors.http.conform import HTTP, PULLED, SINKS, SOURCES
from nave.connectors.http.options import HttpOptions, HttpSinkOptions
from nave.connectors.soap.conform import CONFORMANCE as SOAP
from nave.core.errors import ConfigError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting
from tests.cli.calls import nave
from tests.connectors.conform_pages import differences

pytestmark = pytest.mark.timeout(300)


class OverHttp(ConformanceContract):
    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_its_page_shows_what_the_run_says(self, report: Report, language: str) -> None:
        assert not list(differences(report, language, sampled=False))


class TestHttp(OverHttp):
    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return HTTP.run()


class TestRest(OverHttp):
    """Its sink is the one of `http`."""

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return PULLED.run()


class TestSoap(OverHttp):
    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        return SOAP.run()


class BadSink:
    """Sends once more whatever happened, and believes every answer."""

    tries = 2
    seconds = 5.0

    def __init__(self, connection: HttpOptions, options: HttpSinkOptions, setting: Setting) -> None:
        self._url = f"{connection.url}{options.path}"

    def __enter__(self) -> BadSink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def write(self, records: Sequence[Outbound]) -> Sequence[Receipt]:
        return [self._sent(record) for record in records]

    def _sent(self, record: Outbound) -> Receipt:
        headers = {"Nave-Version": str(record.version), "Content-Type": "application/json"}
        request = urllib.request.Request(self._url, json.dumps(record.values).encode(), headers)
        for _ in range(self.tries):
            with suppress(OSError, HTTPException), urllib.request.urlopen(request, timeout=self.seconds) as answer:
                return Receipt(Outcome.ACCEPTED, json.loads(answer.read())["data"]["id"])
        return Receipt(Outcome.ACCEPTED)


class PatientSink(BadSink):
    """Sends once, and waits for ever."""

    tries = 1
    seconds = 10_000.0


BARE = next(way for way in SINKS if way.name == "bare")


def tried(sink: Callable[..., Any], *names: str) -> Mapping[str, Mapping[str, Verdict]]:
    """The verdicts on a sink, by behaviour."""
    declared = HttpConformance(replace(HTTP.spec, sink=sink), HTTP.face, [BARE])
    return {row.behaviour.name: row.verdicts for row in declared.run(only=names).rows}


def test_a_connector_that_sends_again_after_a_lost_answer_is_shown_to_do_things_twice() -> None:
    found = tried(BadSink, "dropped", "half")

    assert {name: verdicts["twice"] for name, verdicts in found.items()} == {"dropped": Verdict.NO, "half": Verdict.NO}


def test_a_connector_that_believes_every_answer_is_shown_to_lose_records_without_a_word() -> None:
    found = tried(BadSink, "refused", "throttled", "gbk")

    assert found["refused"]["lost"] is Verdict.NO
    assert found["throttled"]["lost"] is Verdict.NO
    assert found["throttled"]["clear"] is Verdict.NO
    assert found["gbk"]["clear"] is Verdict.NO, "an exception of its library's is no error of the hub"


def test_a_connector_without_time_limits_is_shown_to_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = HttpConformance(replace(HTTP.spec, sink=PatientSink), HTTP.face, [BARE], limit=3.0)

    found = {row.behaviour.name: row.verdicts for row in declared.run(only=("silent",)).rows}

    assert found["silent"]["ends"] is Verdict.NO


def test_a_source_that_takes_an_error_for_the_end_is_shown_to_skip() -> None:
    """A list whose error looks like an empty page, for a source that is told nothing of `ok`."""

    class Quiet(type(HTTP.face)):  # type: ignore[misc]
        def refused(self, asked: Any) -> Any:
            return replace(super().refused(asked), text=json.dumps({"ok": False, "data": []}))

    declared = HttpConformance(PULLED.spec, Quiet(), (), SOURCES)

    (row,) = declared.run(only=("error",)).rows

    assert row.verdicts["lost"] is Verdict.NO
    assert row.verdicts["clear"] is Verdict.NO


def test_a_declaration_that_does_not_work_at_all_says_nothing_about_faults() -> None:
    wrong = replace(BARE, options=lambda at: {"path": "/records", "success": {"path": "nowhere", "equals": 1}})

    with pytest.raises(ConfigError) as caught:
        HttpConformance(HTTP.spec, HTTP.face, [wrong]).run(only=("half",))

    assert caught.value.code == "NAVE-K321"


FOREIGN = """
from dataclasses import replace
from nave.connectors.conformance import HttpConformance
from nave.connectors.http.conform import HTTP, SINKS
def believing(at):
    return {name: said for name, said in SINKS[0].options(at).items() if name != "echo"}
THEIRS = HttpConformance(replace(HTTP.spec, name="theirs"), HTTP.face, [replace(SINKS[0], options=believing)])
"""


def test_a_connector_of_somebody_else_s_package_is_tried_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_package.py").write_text(FOREIGN, "utf-8")
    about = tmp_path / "theirs-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[nave.conformance]\ntheirs = their_package:THEIRS\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    said = nave("connector", "conform", "theirs", "--json")
    unknown = nave("connector", "conform", "memory")

    assert (said.status, said.data["connector"], said.data["rows"][0]["lost"]) == (1, "theirs", "yes")
    assert said.data["broken"] == [{"way": "keyed", "behaviour": "other", "promise": "clear"}]
    assert unknown.status != 0
    assert "NAVE-K320" in unknown.err
    assert "theirs" in unknown.err


def test_a_connector_with_a_real_server_asks_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "server.yaml").write_text("- nothing\n", "utf-8")

    without = nave("connector", "conform", "sql")
    odd = nave("connector", "conform", "sql", "--config", tmp_path / "server.yaml")

    assert "NAVE-K322" in without.err
    assert "url" in without.err
    assert "NAVE-K323" in odd.err

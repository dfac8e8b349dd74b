"""The soap connector against PHP's SoapServer: what answers and faults mean, and what never leaves this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from zeep import exceptions

from nave.connectors.contracts import (
    ErrorsCase,
    ErrorsContract,
    SinkCase,
    SinkContract,
    SourceCase,
    SourceContract,
    every,
    land,
)
from nave.connectors.soap import SPEC
from nave.connectors.soap.errors import reading
from nave.connectors.soap.options import SoapOptions, SoapSinkOptions, SoapSourceOptions
from nave.core.errors import ConfigError, RetryableError
from nave.core.protocols import Outbound, Outcome, Receipt, Setting, Sink, Source
from tests.conftest import missing
from tests.servers.php_soap import PhpService, php_program, php_service

HERE = Path(__file__).parent / "soap"
PINNED = "0" * 64
TYPED = {"operation": "put", "into": "customer", "arguments": {"version": "{version}"}}
CODED = {"outcome": {"path": "code", "accepted": ["ok"], "duplicate": ["duplicate"]}, "key_path": "id"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpService]:
    php = php_program()
    if php is None:
        missing("PHP with SOAP")
        return
    folder = tmp_path_factory.mktemp("php")
    shutil.copy(HERE / "types.xsd", folder / "types.xsd")
    with php_service(php, HERE / "service.php", HERE / "service.wsdl", folder) as running:
        yield running


@pytest.fixture
def plant(server: PhpService) -> PhpService:
    (server.folder / "state.json").unlink(missing_ok=True)
    return server


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    for name in ("service.wsdl", "types.xsd"):
        shutil.copy(HERE / name, tmp_path / name)
    return Setting("erp.customers", tmp_path)


def pinned(setting: Setting, file: str = "service.wsdl") -> str:
    """The hash, as the error that asks for it says."""
    options = SoapOptions.model_validate({"url": "http://127.0.0.1:9", "wsdl": {"file": file}})
    assert SPEC.check is not None
    with pytest.raises(ConfigError) as caught:
        SPEC.check(options, setting)
    assert caught.value.code == "NAVE-K223"
    return str(caught.value.params["found"])


def connection(url: str, setting: Setting, **options: Any) -> SoapOptions:
    wsdl = {"file": "service.wsdl", "sha256": pinned(setting)}
    return SoapOptions.model_validate({"url": url, "wsdl": wsdl, **options})


def sink(url: str, setting: Setting, logged: dict[str, Any] | None = None, **options: Any) -> Sink:
    assert SPEC.sink is not None
    made = SoapSinkOptions.model_validate({**TYPED, **CODED, **options})
    return SPEC.sink(connection(url, setting, **(logged or {})), made, setting)


def source(url: str, setting: Setting, **options: Any) -> Source:
    assert SPEC.source is not None
    asked = {"since": "{since}", "page": "{page}", "size": "{size}"}
    made = {"operation": "list", "arguments": asked, "records": "row", "mark": "ts", "size": 10, "start": "0", **options}
    return SPEC.source(connection(url, setting), SoapSourceOptions.model_validate(made), setting)


def record(key: str, version: int = 1, text: str = "x", **values: Any) -> Outbound:
    return Outbound(key, version, {"code": key, "name": text, **values})


def write(url: str, setting: Setting, records: Sequence[Outbound], **options: Any) -> Sequence[Receipt]:
    with sink(url, setting, **options) as opened:
        return opened.write(records)


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, plant: PhpService, setting: Setting) -> SinkCase:
        return SinkCase(
            open=lambda: sink(plant.url, setting),
            held=lambda: plant.state()["held"] or {},
            effects=lambda: len(plant.state()["effects"]),
            record=record,
        )


def rows(first: int, count: int) -> list[dict[str, str]]:
    return [
        {"code": f"C{n}", "name": "名", "ts": f"2026-01-01 00:{n // 60:02}:{n % 60:02}"} for n in range(first, first + count)
    ]


class TestSource(SourceContract):
    @pytest.fixture
    def case(self, plant: PhpService, setting: Setting) -> SourceCase:
        given = rows(0, 35)

        def world() -> Any:
            plant.put(rows=given)
            return lambda: source(plant.url, setting)

        return SourceCase(world, [{**row, "credit": None} for row in given], repeats=1)


def made(kind: type[BaseException]) -> BaseException:
    words = {"DTDForbidden": ("a", "b", "c"), "EntitiesForbidden": ("a", "b"), "IncompleteMessage": ()}
    return kind(*words.get(kind.__name__, ("x",)))


class TestErrors(ErrorsContract):
    @pytest.fixture
    def case(self) -> ErrorsCase:
        vendor = [one for one in every(exceptions.Error, made) if not isinstance(one, exceptions.Fault)]
        return ErrorsCase(
            lambda: reading("http://127.0.0.1/"), [*vendor, ValueError("x"), KeyError("x"), AttributeError("x")]
        )


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_typed_values_arrive_exactly_and_the_receipt_holds_the_targets_key(
    plant: PhpService, setting: Setting, version: str
) -> None:
    sent = record("7", 3, "上海 <&> 𠀀", credit=Decimal("1E+3"))

    (receipt,) = write(plant.url, setting, [sent], logged={"version": version})

    assert (receipt.outcome, receipt.remote_key) == (Outcome.ACCEPTED, "R7")
    assert plant.state()["held"]["7"] == [3, {"code": "7", "name": "上海 <&> 𠀀", "credit": "1000"}]
    kind = plant.state()["calls"][0]["type"]
    assert kind.startswith("text/xml" if version == "1.1" else "application/soap+xml")


def test_a_record_goes_as_one_text_and_the_answers_text_is_read(plant: PhpService, setting: Setting) -> None:
    options = {
        "operation": "importXml",
        "into": None,
        "payload": {"argument": "xml", "record": "ufinterface/record"},
        "arguments": {"account": "001"},
        "answer": "xml",
        "key_path": "pk",
    }
    sent = Outbound("9", 2, {"@id": "9", "@version": 2, "name": "甲 & 乙"})

    first, again = (write(plant.url, setting, [sent], **options)[0] for _ in range(2))

    assert (first.outcome, first.remote_key, again.outcome) == (Outcome.ACCEPTED, "单据9", Outcome.DUPLICATE)
    assert plant.state()["held"]["9"][1]["name"] == "甲 & 乙"
    assert plant.state()["calls"][0]["action"] == '""'


@pytest.mark.parametrize(
    ("name", "options", "outcome"),
    [
        ("client fault", {}, Outcome.REJECTED),
        ("server fault", {}, Outcome.UNKNOWN),
        ("server fault", {"idempotent": True}, Outcome.RETRY),
        ("server fault", {"faults": {"Server": "rejected"}}, Outcome.REJECTED),
        ("known fault", {"faults": {"Server.Known": "duplicate"}}, Outcome.DUPLICATE),
    ],
)
def test_what_a_fault_means(
    plant: PhpService, setting: Setting, name: str, options: dict[str, Any], outcome: Outcome
) -> None:
    (receipt,) = write(plant.url, setting, [record("1", text=name)], **options)

    assert receipt.outcome is outcome
    assert receipt.error is None or (receipt.error.code == "NAVE-K227" and "fault" not in receipt.error.text("zh"))


def test_an_unknown_outcome_is_settled_by_the_probe_before_anything_is_sent_again(
    plant: PhpService, setting: Setting
) -> None:
    probe = {"operation": "find", "arguments": {"key": "{key}"}, "found": "id", "version_path": "version"}
    options = SoapSinkOptions.model_validate({**TYPED, **CODED, "probe": probe})
    done, lost = record("1", 2, "commits and dies"), record("2", 1, "server fault")
    receipts = write(plant.url, setting, [done, lost], probe=probe)

    assert SPEC.probe is not None
    with SPEC.probe(connection(plant.url, setting), options, setting) as ask:
        found, absent, newer = ask(done), ask(lost), ask(record("1", 3))

    assert [receipt.outcome for receipt in receipts] == [Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert found == Receipt(Outcome.DUPLICATE, "R1")
    assert (absent, newer) == (None, None)
    assert plant.state()["effects"] == ["1-2"]


def test_a_record_that_does_not_fit_is_refused_and_its_neighbours_go(plant: PhpService, setting: Setting) -> None:
    bad = Outbound("2", 1, {"code": "2", "name": "x", "nonsense": 1})

    receipts = write(plant.url, setting, [record("1"), bad, record("3")])

    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ACCEPTED]
    assert receipts[1].error is not None
    assert receipts[1].error.code == "NAVE-K224"


@pytest.mark.parametrize("form", ["text", "digest"])
def test_the_username_token_opens_the_service_and_a_wrong_one_is_tried_once(
    plant: PhpService, setting: Setting, form: str
) -> None:
    plant.put(token=["hub", "pass-wört"])
    token = {"user": "hub", "password": "pass-wört", "form": form}
    (receipt,) = write(plant.url, setting, [record("1")], logged={"token": token})

    assert receipt.outcome is Outcome.ACCEPTED
    assert plant.state()["seen"].endswith({"text": "#PasswordText", "digest": "#PasswordDigest"}[form])

    before = len(plant.state()["calls"])
    with pytest.raises(ConfigError) as caught:
        write(plant.url, setting, [record(str(n)) for n in range(20)], logged={"token": {**token, "password": "wrong"}})
    assert "wrong" not in json.dumps([caught.value.text(), caught.value.text("zh")])
    assert len(plant.state()["calls"]) == before + 1


def test_reading_goes_on_from_the_highest_mark_less_the_overlap(plant: PhpService, setting: Setting) -> None:
    plant.put(rows=rows(0, 25))
    _, position = land(lambda: source(plant.url, setting), None)
    plant.put(rows=[*rows(0, 25), *rows(25, 3)])

    more, end = land(lambda: source(plant.url, setting), position)
    again, _ = land(lambda: source(plant.url, setting, overlap="2s"), end)

    assert [row["code"] for row in more] == ["C24", "C25", "C26", "C27"]
    assert [row["code"] for row in again] == ["C25", "C26", "C27"]


def test_a_service_that_is_not_there_holds_all_back(setting: Setting) -> None:
    with pytest.raises(RetryableError) as caught:
        write("http://127.0.0.1:9/", setting, [record(str(n)) for n in range(5)])

    assert caught.value.code == "NAVE-S050"


def test_remote_procedures_of_the_old_kind_take_a_text_and_give_one(tmp_path: Path) -> None:
    php = php_program()
    if php is None:
        missing("PHP with SOAP")
        return
    payload = {"argument": "xml", "record": "batch/record"}
    options = {"operation": "importXml", "payload": payload, "arguments": {"account": "001"}, "answer": "xml"}
    there = Setting("nc.vouchers", tmp_path)

    with php_service(php, HERE / "rpc.php", HERE / "rpc.wsdl", tmp_path) as running:
        sent = [Outbound("9", 2, {"@id": "9"})]
        (receipt,) = write(running.url, there, sent, **{**options, "into": None, **CODED, "key_path": "pk"})

    assert (receipt.outcome, receipt.remote_key) == (Outcome.ACCEPTED, "001-9")

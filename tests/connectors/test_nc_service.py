"""NC's web services with one text in and one text out, against PHP's SoapServer: the same ids and verdicts as everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.contracts import SinkCase, SinkContract
from nave.connectors.nc import SPEC
from nave.connectors.nc.options import NcOptions, NcSinkOptions
from nave.core.protocols import Outcome, Receipt, Setting, Sink
from tests.conftest import missing
from tests.connectors.test_nc import record
from tests.servers.php_soap import PhpService, php_program, php_service

pytestmark = pytest.mark.service
HERE = Path(__file__).parent / "soap"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpService]:
    php = php_program()
    if php is None:
        missing("PHP with SOAP")
        return
    with php_service(php, HERE / "nc.php", HERE / "nc.wsdl", tmp_path_factory.mktemp("php")) as running:
        yield running


@pytest.fixture
def nc(server: PhpService) -> PhpService:
    server.put(held={}, effects=[], calls=[], faults=[])
    return server


def sink(nc: PhpService, **options: Any) -> Sink:
    assert SPEC.sink is not None
    call = {"operation": "importXml", "namespace": "http://itf.nc/IImport"}
    there = {"url": nc.url.rstrip("/"), "path": "/uapws/service/nc.itf.IImport", "service": call, "account": "A01"}
    made = NcSinkOptions.model_validate({"settle": "0s", **options})
    return SPEC.sink(NcOptions.model_validate(there), made, Setting("nc.receivables", Path()))


def write(nc: PhpService, text: str = "x", version: int = 1) -> Receipt:
    with sink(nc) as opened:
        (receipt,) = opened.write([record("k1", version, text)])
    return receipt


class TestSink(SinkContract):
    @pytest.fixture
    def case(self, nc: PhpService) -> SinkCase:
        return SinkCase(
            open=lambda: sink(nc),
            held=lambda: {name.rpartition("-")[2]: text for name, text in dict(nc.state()["held"]).items()},
            effects=lambda: len(nc.state()["effects"]),
            record=record,
            keeps_newest=False,
        )


def test_the_document_goes_as_one_text_whatever_is_in_it(nc: PhpService) -> None:
    receipt = write(nc, "a &lt; 镕𠮷 ]]&gt;")

    assert (receipt.outcome, receipt.remote_key) == (Outcome.ACCEPTED, "1001A1NAVE-F0-k1")
    assert nc.state()["held"] == {"NAVE-F0-k1": "a < 镕𠮷 ]]>"}
    assert nc.state()["calls"] == [{"account": "A01", "replace": "N"}]


@pytest.mark.parametrize("fault", ["fault", "page"])
def test_an_answer_that_tells_nothing_is_followed_by_the_same_id_and_booked_once(nc: PhpService, fault: str) -> None:
    nc.put(faults=[fault])

    first, second = write(nc), write(nc)

    assert (first.outcome, second.outcome) == (Outcome.RETRY, Outcome.DUPLICATE)
    assert nc.state()["effects"] == ["NAVE-F0-k1"]
    assert first.error is not None
    assert first.error.code in ("NAVE-K391", "NAVE-K392")

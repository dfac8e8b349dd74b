"""The SOAP door, called by zeep and by PHP's SoapClient, and by people who mean harm."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree
from zeep.wsse.username import UsernameToken

from nave.api import soapenvelope
from nave.api.door import DoorSource, door
from nave.api.serving import serving
from nave.api.soap import SoapDoor, soap_route
from nave.api.soaplooks import Looks
from nave.core import receipts
from nave.core.clock import Ids
from nave.core.errors import PermanentError, RetryableError
from nave.core.journal import land, prepare_landing
from nave.core.protocols import Batch
from nave.core.store import Store, open_store
from nave.workers.receipts import page
from tests.api.hub import Hub
from tests.conftest import missing
from tests.servers import free_port
from tests.servers.node_soap import node_modules, node_run
from tests.servers.php_soap import php_program, php_run

TOKEN = "tök-é"
SOURCES = {
    "crm.customers": DoorSource("crm.customers", "customer", TOKEN.encode(), max_body=200_000),
    "crm.contacts": DoorSource("crm.contacts", "contact", b"other"),
    "erp.orders": DoorSource("erp.orders", "order"),
}
ENVELOPE = (
    '<s:Envelope xmlns:s="{0}" xmlns:c="urn:nave:soap:crm"><s:Header/><s:Body><c:submit_customers>{1}'
    "</c:submit_customers></s:Body></s:Envelope>"
)
ONE = "<c:record><ID>1</ID></c:record>"
PLAIN = ENVELOPE.format(soapenvelope.SOAP_11, ONE)


def told(store: Store, number: str, query: Mapping[str, str]) -> Mapping[str, Any]:
    """A receipt, as the hub tells it over HTTP."""
    with store.read() as tx:
        taken = receipts.by_id(tx, number)
    if taken is None:
        raise PermanentError("NAVE-K313", name=number)
    return page(store, None, taken, after=int(query.get("after") or 0), limit=2)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub()
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'hub.db'}")
    with store.write() as tx:
        three = [{"ID": str(number)} for number in range(3)]
        landing = prepare_landing("crm.customers", "customer", Batch(three, [(n, None) for n in (1, 2, 3)], {}), Ids())
        land(tx, landing, lambda: 1.0, Ids())
    looks = Looks(store, partial(told, store))
    route = soap_route(SoapDoor(SOURCES, hub.land, looks, token=b"hub-token", body_seconds=2.0))
    with serving(door(SOURCES, hub.land, dict, more=[route]), "127.0.0.1", free_port()) as port:
        hub.port = port
        yield hub
    store.close()


@pytest.fixture
def hub(running: Hub) -> Hub:
    running.landed.clear()
    running.failure = None
    return running


def call(hub: Hub, body: str | bytes, token: str | None = TOKEN, kind: str = "text/xml", **headers: str) -> tuple[int, str]:
    content = body.encode() if isinstance(body, str) else body
    sent = {"Content-Type": kind, **headers}
    if token is not None:
        sent["Authorization"] = f"Bearer {token}".encode().decode("latin-1")
    with closing(http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)) as connection:
        connection.request("POST", "/soap/crm", content, sent)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def client(hub: Hub, folder: Path, port: str = "Nave11", **named: Any) -> Any:
    with closing(http.client.HTTPConnection("127.0.0.1", hub.port, timeout=20)) as connection:
        connection.request("GET", "/soap/crm?wsdl")
        (folder / "crm.wsdl").write_bytes(connection.getresponse().read())
    made = zeep.Client(str(folder / "crm.wsdl"), port_name=port, **named)
    return made.service


def element(name: str, text: str) -> Any:
    made = etree.Element(name)
    made.text = text
    return made


@pytest.mark.parametrize("port", ["Nave11", "Nave12"])
def test_zeep_submits_records_with_a_username_token(hub: Hub, tmp_path: Path, port: str) -> None:
    service = client(hub, tmp_path, port, wsse=UsernameToken("crm", TOKEN))

    answer = service.submit_customers(
        record=[{"_value_1": [element("ID", "1"), element("NAME", "上海 & <Co>")]}, {"_value_1": []}]
    )

    assert (answer.receipt, answer.accepted) == ("41", 2)
    assert [(one.number, one.state) for one in answer.record] == [(1, "accepted"), (2, "accepted")]
    assert hub.landed == [("crm.customers", [{"ID": "1", "NAME": "上海 & <Co>"}, {"#text": ""}], {"unit": "element"})]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '[{"ID": "1", "N": 12.50}]'),
        ("xml", '<?xml version="1.0" encoding="GBK"?><x><record><ID>1</ID><N>12.50</N></record></x>'),
    ],
)
def test_zeep_submits_one_text_with_records_inside(hub: Hub, tmp_path: Path, kind: str, text: str) -> None:
    service = client(hub, tmp_path, wsse=UsernameToken("crm", TOKEN))

    assert service.submitText_customers(format=kind, text=text).accepted == 1

    (record,) = hub.landed[0][1]
    assert (record["ID"], float(record["N"])) == ("1", 12.5)


PHP = """
$options = ["login" => "crm", "password" => $argv[2], "trace" => 1, "exceptions" => true, "soap_version" => (int)$argv[3]];
$client = new SoapClient($argv[1] . "?wsdl", $options);
$any = fn($xml) => ["any" => $xml];
$one = $client->submit_customers(["record" => [$any("<ID>1</ID><NAME>上海 &amp; Co</NAME>"), $any("<ID>2</ID>")]]);
$text = $client->submitText_customers(["format" => "json", "text" => '{"ID":"3"}']);
try { $client->submitText_customers(["format" => "json", "text" => '{"ID":']); $fault = null; }
catch (SoapFault $e) { $fault = [$e->faultcode, $e->detail->problem->code]; }
$receipt = $client->receipt(["id" => "1.2-3"]);
echo json_encode([
    "one" => $one, "text" => $text, "fault" => $fault, "receipt" => $receipt,
]);
"""


@pytest.mark.parametrize(("version", "who"), [("1", "Client"), ("2", "Sender")])
def test_phps_soap_client_reads_the_wsdl_submits_and_asks(hub: Hub, version: str, who: str) -> None:
    php = php_program()
    if php is None:
        missing("PHP with SOAP")
        return

    said = php_run(php, PHP, f"http://127.0.0.1:{hub.port}/soap/crm", TOKEN, version)

    assert said["one"]["receipt"] == "41"
    assert [one["state"] for one in said["one"]["record"]] == ["accepted", "accepted"]
    assert said["text"]["receipt"] == "42"
    assert [fault.rpartition(":")[2] for fault in said["fault"]] == [who, "NAVE-A011"]
    lines = said["receipt"].pop("line")
    assert lines == [{"number": 2, "state": "pending"}, {"number": 3, "state": "pending"}]
    assert said["receipt"] == {"found": True, "source": "crm.customers", "state": "pending", "complete": False} | {
        name: 2 * (name == "received") for name in ("received", "applied", "unchanged", "superseded", "refused", "waiting")
    }
    assert [records for _, records, _ in hub.landed] == [[{"ID": "1", "NAME": "上海 & Co"}, {"ID": "2"}], [{"ID": "3"}]]


BOMB = '<!DOCTYPE a [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>' + ENVELOPE.format(
    soapenvelope.SOAP_11, ONE.replace("1", "&b;", 1)
)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (BOMB, "NAVE-K234"),
        ('<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x">' + PLAIN, "NAVE-K234"),
        (PLAIN[:-30], "NAVE-K234"),
        (ENVELOPE.format("urn:other", ONE), "NAVE-K234"),
        ("", "NAVE-K234"),
        ("{}", "NAVE-K234"),
        (b"\xff\xfe\xff", "NAVE-K234"),
        ("<a>" * 5_000, "NAVE-K234"),
        (ENVELOPE.format(soapenvelope.SOAP_11, "<c:record>" + "<a>" * 500 + "</a>" * 500 + "</c:record>"), "NAVE-K234"),
        (ENVELOPE.format(soapenvelope.SOAP_11, ONE * 1_001), "NAVE-A016"),
        (ENVELOPE.format(soapenvelope.SOAP_11, "x" * 200_001), "NAVE-A003"),
        (PLAIN.replace("submit_customers", "submit_custmers"), "NAVE-K235"),
        (PLAIN.replace("submit_customers", "submit_contacts"), "NAVE-A002"),
        (PLAIN.replace("submit_customers", "submit_orders"), "NAVE-K235"),
    ],
)
def test_what_cannot_be_taken_is_a_fault_with_a_code_and_stores_nothing(hub: Hub, body: str | bytes, code: str) -> None:
    status, text = call(hub, body)

    assert status >= 400
    assert f"<code>{code}</code>" in text
    assert hub.landed == []


@pytest.mark.parametrize("kind", ["text/xml; charset=GBK", "text/xml; charset=gb2312"])
def test_a_message_in_gbk_is_read_as_it_was_meant(hub: Hub, kind: str) -> None:
    body = '<?xml version="1.0" encoding="GBK"?>' + ENVELOPE.format(soapenvelope.SOAP_11, ONE.replace("1", "龙頭"))

    assert call(hub, body.encode("gbk"), kind=kind)[0] == 200
    assert hub.landed[0][1] == [{"ID": "龙頭"}]


def test_what_toolkits_add_to_elements_is_no_part_of_the_record(hub: Hub) -> None:
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    fields = f'<ID {xsi} xsi:type="xsd:string">1</ID><N {xsi} xsi:nil="true"/><P type="net">5</P>'

    call(hub, ENVELOPE.format(soapenvelope.SOAP_11, f"<c:record>{fields}</c:record>"))

    assert hub.landed[0][1] == [{"ID": "1", "N": None, "P": {"@type": "net", "#text": "5"}}]


@pytest.mark.parametrize("operation", ["submit_customers", "receipt"])
@pytest.mark.parametrize("token", [None, "wrong"])
def test_nothing_is_decoded_for_somebody_who_may_not_send(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, token: str | None, operation: str
) -> None:
    decoded: list[str] = []
    monkeypatch.setattr(soapenvelope, "read", lambda *_: decoded.append("read") or iter(()))

    status, text = call(hub, PLAIN.replace("submit_customers", operation), token)

    assert (status, decoded, hub.landed) == (401, [], [])
    assert "NAVE-A002" in text


def test_a_store_that_is_away_is_a_fault_to_try_again(hub: Hub) -> None:
    hub.failure = RetryableError("NAVE-E001", reason="away", after=7)

    status, text = call(hub, PLAIN)

    assert status == 503
    assert "<faultcode>s:Server</faultcode>" in text


def test_a_receipt_tells_its_lines_in_pages_and_only_those_of_the_request(hub: Hub, tmp_path: Path) -> None:
    service = client(hub, tmp_path, wsse=UsernameToken("crm", TOKEN))

    first = service.receipt(id="1")
    rest = service.receipt(id="1", after=first.next)
    part = service.receipt(id="1.2-2")
    absent = [service.receipt(id=one).found for one in ("1.2", "x", "", "9" * 39, "1.0-0-0", "2")]

    assert (first.found, first.state, first.received, first.complete) == (True, "pending", 3, False)
    assert [[one.number for one in told.line] for told in (first, rest, part)] == [[1, 2], [3], [2]]
    assert (first.next, rest.next, part.next, part.received) == (2, None, None, 1)
    assert absent == [False] * 6


def test_receipts_of_others_are_not_to_be_seen(hub: Hub) -> None:
    asked = ENVELOPE.format(soapenvelope.SOAP_11, "<c:id>1</c:id>").replace("submit_customers", "receipt")

    assert "<n:found>true</n:found>" in call(hub, asked)[1]
    assert "<n:found>false</n:found>" in call(hub, asked, "other")[1]


NODE = """
const soap = require("soap"), [url, token] = process.argv.slice(1);
(async () => {
  const client = await soap.createClientAsync(url + "?wsdl");
  client.setSecurity(new soap.WSSecurity("crm", token, { hasTimeStamp: true }));
  const [one] = await client.submit_customersAsync({ record: [{ ID: "1", NAME: "上海 & Co" }, { ID: "2" }] });
  const [text] = await client.submitText_customersAsync({ format: "json", text: '{"ID":"3"}' });
  let fault = null;
  try { await client.submitText_customersAsync({ format: "json", text: '{"ID":' }); }
  catch (error) { fault = error.root.Envelope.Body.Fault; }
  const [receipt] = await client.receiptAsync({ id: "1" });
  console.log(JSON.stringify({ one, text, fault, receipt }));
})().catch((error) => { console.error(String(error)); process.exit(1); });
"""


def test_nodes_soap_client_reads_the_wsdl_and_submits_with_a_username_token(hub: Hub) -> None:
    modules = node_modules()
    if modules is None:
        pytest.skip("Node with its soap package is not here, and needs a package registry of its own")
        return

    said = node_run(modules, NODE, f"http://127.0.0.1:{hub.port}/soap/crm", TOKEN)

    assert (said["one"]["receipt"], said["one"]["accepted"], said["text"]["receipt"]) == ("41", 2, "42")
    assert [(one["number"], one["state"]) for one in said["receipt"]["line"]] == [(1, "pending"), (2, "pending")]
    assert said["fault"]["faultcode"].endswith("Client")
    assert said["fault"]["detail"]["problem"]["code"] == "NAVE-A011"
    assert [records for _, records, _ in hub.landed] == [[{"ID": "1", "NAME": "上海 & Co"}, {"ID": "2"}], [{"ID": "3"}]]

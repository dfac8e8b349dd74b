"""Every kind of mistake in a hub folder is found at its place, with its code, and nothing else is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from nave.config import load
from nave.core.texts import catalogue
from tests.config.hubs import GOOD, load_hub

HUB, ERP, CRM = "hub.yaml", "systems/erp.yaml", "systems/crm.yaml"
CUSTOMER, COURSE = "entities/customer.yaml", "entities/course.yaml"
IN, OUT, TEST = "mappings/erp/customer.yaml", "mappings/erp/customer-out.yaml", "mappings/erp/customer.test.yaml"
REGION = "tables/region.csv"

Changes = Mapping[str, str | bytes | None]


def edit(file: str, old: str, new: str) -> Changes:
    """The good hub's file with one piece of text replaced."""
    assert GOOD[file].count(old) == 1, (file, old)
    return {file: GOOD[file].replace(old, new)}


def scored(said: str) -> Changes:
    """The good hub with scored identity for its customers."""
    return edit(CUSTOMER, "survivorship:", f"  scored: {{{said}}}\n        survivorship:")


BROKEN: list[tuple[str, Changes, list[str]]] = [
    ("no hub file", {HUB: None}, ["hub.yaml:1:1 C001"]),
    ("hub file empty", {HUB: ""}, ["hub.yaml:1:1 C019"]),
    ("hub file a list", {HUB: "- a\n"}, ["hub.yaml:1:1 C019"]),
    ("hub without a name", {HUB: "title: x\n"}, ["hub.yaml:1:1 C023"]),
    ("unknown key", {HUB: "hub: p\nlanguage: [en]\n"}, ["hub.yaml:2:1 C011"]),
    ("bad names", {HUB: "hub: Plant 1\n"}, ["hub.yaml:1:6 C028"]),
    ("reserved name", {HUB: "hub: all\n"}, ["hub.yaml:1:6 C029"]),
    ("number without a unit", {HUB: "hub: p\nhttp: {max_body: 16}\n"}, ["hub.yaml:2:18 C025"]),
    (
        "two in one file",
        {HUB: "hub: p\nhttp: {max_body: 16, lisen: x}\nstor: y\n"},
        ["hub.yaml:2:18 C025", "hub.yaml:2:22 C011", "hub.yaml:3:1 C011"],
    ),
    ("no address", {HUB: "hub: p\nhttp: {listen: nowhere}\n"}, ["hub.yaml:2:16 C049"]),
    ("no port", {HUB: "hub: p\nhttp: {listen: 'a:99999'}\n"}, ["hub.yaml:2:16 C049"]),
    ("number out of range", {HUB: "hub: p\nhttp: {max_waiting: 0}\n"}, ["hub.yaml:2:21 C020"]),
    ("text for a number", {HUB: "hub: p\nhttp: {max_waiting: many}\n"}, ["hub.yaml:2:21 C015"]),
    ("number for text", {HUB: "hub: p\nstore: 5\n"}, ["hub.yaml:2:8 C014"]),
    ("text for a mapping", {HUB: "hub: p\nhttp: yes\n"}, ["hub.yaml:2:7 C019"]),
    ("unknown store", {HUB: "hub: p\nstore: mongodb://x/y\n"}, ["hub.yaml:2:8 C048"]),
    ("password in a URL", {HUB: "hub: p\nstore: postgresql://u:hunter2@db/x\n"}, ["hub.yaml:2:8 C047"]),
    ("key twice", {HUB: "hub: p\nhub: q\n"}, ["hub.yaml:2:1 C006"]),
    ("anchor", {HUB: "hub: &a p\n"}, ["hub.yaml:1:6 C007"]),
    ("alias", {HUB: "hub: p\ntitle: *a\n"}, ["hub.yaml:2:8 C007"]),
    ("tag", {HUB: "hub: !!python/object:os.system p\n"}, ["hub.yaml:1:6 C010"]),
    ("second document", {HUB: "hub: p\n---\nhub: q\n"}, ["hub.yaml:2:1 C032"]),
    ("key that is a list", {HUB: "hub: p\n? [a]\n: b\n"}, ["hub.yaml:2:3 C033"]),
    ("tab", {HUB: "hub: p\nhttp:\n\tlisten: x\n"}, ["hub.yaml:3:1 C005"]),
    ("control character", {HUB: "hub: p\ntitle: a\x07b\n"}, ["hub.yaml:2:9 C008"]),
    ("not UTF-8", {HUB: "hub: p\ntitle: 工厂\n".encode("gb18030")}, ["hub.yaml:2:1 C004"]),
    ("too large", {HUB: b"hub: p\n" + b"#" * 1024 * 1024}, ["hub.yaml:1:1 C003"]),
    ("too deep", {HUB: "hub: p\ntitle: " + "[" * 10_000}, ["hub.yaml:2:72 C009"]),
    ("unknown environment", {HUB: "hub: p\ntitle: a ${env:NOT_SET} b\n"}, ["hub.yaml:2:10 C041"]),
    ("bad reference", {HUB: "hub: p\ntitle: '${NAME}'\n"}, ["hub.yaml:2:9 C040"]),
    ("open reference", {HUB: "hub: p\ntitle: ${env:NAME\n"}, ["hub.yaml:2:8 C040"]),
    ("missing file", {HUB: "hub: p\ntitle: ${file:title.txt}\n"}, ["hub.yaml:2:8 C043"]),
    ("file outside", {HUB: "hub: p\ntitle: ${file:../x}\n"}, ["hub.yaml:2:8 C044"]),
    ("reference in a key", {HUB: "hub: p\n${env:KEY}: x\n"}, ["hub.yaml:2:1 C011", "hub.yaml:2:1 C046"]),
    ("time zone", edit(ERP, "Asia/Shanghai", "Asia/Shangai"), ["systems/erp.yaml:2:12 C035"]),
    ("time zone as a path", edit(ERP, "Asia/Shanghai", "../../etc/passwd"), ["systems/erp.yaml:2:12 C035"]),
    ("system's name", edit(ERP, "system: erp", "system: erq"), ["systems/erp.yaml:1:9 C030"]),
    ("no system's name", edit(ERP, "        system: erp\n", ""), ["systems/erp.yaml:1:1 C023"]),
    ("connector", edit(ERP, "type: depot", "type: depto"), ["systems/erp.yaml:4:14 S001"]),
    ("connector's library", edit(ERP, "type: depot", "type: broken"), ["systems/erp.yaml:4:14 C038"]),
    ("connector's option", edit(ERP, "url: ", "pol: 3, url: "), ["systems/erp.yaml:4:21 C011"]),
    ("connector's option missing", edit(ERP, 'url: "depot://db", ', ""), ["systems/erp.yaml:4:3 C023"]),
    ("connector's own rule", edit(ERP, '"depot://db"', '"ftp://x"'), ["systems/erp.yaml:4:26 C012"]),
    ("secret in the file", edit(ERP, '"${env:ERP_PASSWORD}"', "hunter2"), ["systems/erp.yaml:4:50 C045"]),
    (
        "nested secret in the file",
        edit(ERP, 'password: "${env:ERP_PASSWORD}"', "login: {key: hunter2}"),
        ["systems/erp.yaml:4:53 C045"],
    ),
    (
        "secret in a wrong connection",
        edit(ERP, 'password: "${env:ERP_PASSWORD}"', "password: hunter2, pol: 4"),
        ["systems/erp.yaml:4:50 C045", "systems/erp.yaml:4:59 C011"],
    ),
    ("unknown connection", edit(ERP, "from: db", "from: bd"), ["systems/erp.yaml:8:11 C050"]),
    (
        "source without its keys",
        edit(ERP, "            entity: customer\n            from: db\n", ""),
        ["systems/erp.yaml:6:3 C023", "systems/erp.yaml:6:3 C023"],
    ),
    ("source's option", edit(ERP, "query: ", "qery: "), ["systems/erp.yaml:9:5 C011"]),
    (
        "format's option",
        edit(ERP, "every: 5m", "every: 5m\n            format: {type: tree, recrd: x}"),
        ["systems/erp.yaml:11:5 C023", "systems/erp.yaml:11:26 C011"],
    ),
    (
        "format",
        edit(ERP, "every: 5m", "every: 5m\n            format: {type: tre, record: x}"),
        ["systems/erp.yaml:11:20 C013"],
    ),
    (
        "format without a type",
        edit(ERP, "every: 5m", "every: 5m\n            format: {record: x}"),
        ["systems/erp.yaml:11:5 C023"],
    ),
    ("two types allowed", edit(ERP, "every: 5m", "every: 5m\n            since: soon"), ["systems/erp.yaml:11:12 C024"]),
    ("cron", edit(ERP, "every: 5m", "schedule: 99 * * * *"), ["systems/erp.yaml:10:15 C036"]),
    (
        "every and schedule",
        edit(ERP, "every: 5m", "every: 5m\n            schedule: 5 * * * *"),
        ["systems/erp.yaml:11:5 C037"],
    ),
    ("neither every nor schedule", edit(ERP, "            every: 5m\n", ""), ["systems/erp.yaml:6:3 C062"]),
    ("batch too large", edit(ERP, "every: 5m", "every: 5m\n            batch: 5000"), ["systems/erp.yaml:11:12 C020"]),
    ("no time of day", edit(ERP, "every: 5m", "every: 5m\n            expect: {by: x}"), ["systems/erp.yaml:11:18 C021"]),
    (
        "receipts of a database",
        edit(ERP, "every: 5m", "every: 5m\n            receipt: {file: x}"),
        ["systems/erp.yaml:11:15 K300"],
    ),
    (
        "totals of a database",
        edit(ERP, "every: 5m", "every: 5m\n            expect: {count: A/B}"),
        ["systems/erp.yaml:11:5 K302"],
    ),
    ("pushed and timed", edit(CRM, "from: events,", "from: events, every: 5m,"), ["systems/crm.yaml:5:45 C061"]),
    (
        "a sink that cannot write",
        edit(
            CRM,
            "sources:",
            "sinks:\n          back: {entity: contact, to: events, mapping: erp/customer-out}\n        sources:",
        ),
        ["mappings/erp/customer-out.yaml:2:7 C054", "mappings/erp/customer-out.yaml:3:5 C054", "systems/crm.yaml:5:31 C069"],
    ),
    ("unused connection", edit(CRM, "sources:", "  more: {type: door}\n        sources:"), ["systems/crm.yaml:4:3 C066"]),
    ("unknown entity", edit(CRM, "entity: contact", "entity: contct"), ["systems/crm.yaml:5:22 C052"]),
    (
        "unknown mapping",
        edit(CRM, "mapping: crm/contact", "mapping: crm/contacts"),
        ["mappings/crm/contact.yaml:1:10 C064", "systems/crm.yaml:5:54 C051"],
    ),
    ("name of a source", edit(CRM, "contacts:", "Contacts:"), ["systems/crm.yaml:5:3 C028"]),
    ("rate", edit(ERP, "20/s", "20"), ["systems/erp.yaml:19:20 C026"]),
    (
        "text for a list",
        edit(ERP, "table: IF_CUSTOMER", "columns: CODE, table: IF_CUSTOMER".replace(", ", "\n            ")),
        ["systems/erp.yaml:16:14 C018"],
    ),
    (
        "list too short",
        edit(ERP, "table: IF_CUSTOMER", "columns: []\n            table: IF_CUSTOMER"),
        ["systems/erp.yaml:16:14 C022"],
    ),
    ("limit's key", edit(ERP, "batch:", "bacth:"), ["systems/erp.yaml:19:26 C011"]),
    (
        "sink's option",
        edit(ERP, "table: IF_CUSTOMER", "tabel: IF_CUSTOMER"),
        ["systems/erp.yaml:13:3 C023", "systems/erp.yaml:16:5 C011"],
    ),
    ("limit nobody keeps", edit(ERP, "batch: 100", "timeout: 3s"), ["systems/erp.yaml:19:26 C074"]),
    (
        "limit of a source that is read",
        edit(ERP, "every: 5m", "every: 5m\n            limits: {rate: 5/s}"),
        ["systems/erp.yaml:11:14 C075"],
    ),
    ("mapping's name", edit(IN, "mapping: erp/customer", "mapping: erp/custumer"), ["mappings/erp/customer.yaml:1:10 C030"]),
    ("mapping's ends", edit(IN, "to: customer", "to: contact"), ["mappings/erp/customer.yaml:3:5 C054"]),
    (
        "mapping that nobody uses",
        {"mappings/erp/other.yaml": "mapping: erp/other\nfrom: erp.custmers\nto: customer\n"},
        ["mappings/erp/other.yaml:1:10 C064", "mappings/erp/other.yaml:2:7 C067"],
    ),
    (
        "tests without a mapping",
        {"mappings/erp/custmer.test.yaml": "cases: []\n"},
        ["mappings/erp/custmer.test.yaml:1:1 C063"],
    ),
    ("mapping that is a list", {IN: "- a\n"}, ["mappings/erp/customer.yaml:1:1 C019"]),
    ("entity's name", edit(COURSE, "entity: course", "entity: curse"), ["entities/course.yaml:1:9 C030"]),
    ("unknown field type", edit(COURSE, "{type: code,", "{type: txt,"), ["entities/course.yaml:4:16 C060"]),
    ("unknown ref", edit(COURSE, "employee", "employe"), ["entities/course.yaml:5:25 C052"]),
    ("field's key", edit(COURSE, "required:", "requird:"), ["entities/course.yaml:4:22 C011"]),
    ("reserved field", edit(COURSE, "code: {", "version: {"), ["entities/course.yaml:4:3 C029"]),
    ("entity of one's own without fields", {"entities/course.yaml": "entity: course\n"}, ["entities/course.yaml:1:9 C059"]),
    (
        "shipped entity written anew",
        {CUSTOMER: "entity: customer\nfields: {a: {type: text}}\n"},
        ["entities/customer.yaml:2:1 C058"],
    ),
    ("field that is there", edit(CUSTOMER, "plant_grade", "grade"), ["entities/customer.yaml:4:5 D003"]),
    ("type inside a list", edit(CUSTOMER, "type: date,", "type: dat,"), ["entities/customer.yaml:5:49 C060"]),
    ("identity's field", edit(CUSTOMER, "[name, phone]", "[name, fone]"), ["entities/customer.yaml:7:26 C055"]),
    ("identity's only field", edit(CUSTOMER, "[tax_id,", "[taxid,"), ["entities/customer.yaml:7:11 C055"]),
    ("identity in a list", edit(CUSTOMER, "[tax_id,", "[contacts.name,"), ["entities/customer.yaml:7:11 C055"]),
    (
        "scored identity without a model",
        scored("link: 0.9"),
        ["entities/customer.yaml:8:11 C124"],
    ),
    (
        "scored identity with something else for a model",
        {**scored("link: 0.9"), "entities/customer.match.json": "{}"},
        ["entities/customer.yaml:8:11 C125"],
    ),
    ("scored identity's field", scored("compare: {fone: digits}"), ["entities/customer.yaml:8:22 C055"]),
    ("scored identity's kind", scored("compare: {phone: digit}"), ["entities/customer.yaml:8:29 C121"]),
    ("scored identity's thresholds", scored("link: 0.8, review: 0.9"), ["entities/customer.yaml:8:31 C122"]),
    (
        "scored identity's blocking key",
        scored("compare: {phone: digits}, block: ['phone:start']"),
        ["entities/customer.yaml:8:46 C123"],
    ),
    (
        "scored identity of an own entity that compares nothing",
        {"entities/tool.yaml": "entity: tool\nfields: {a: {type: code}}\nidentity: {scored: {link: 0.9}}\n"},
        ["entities/tool.yaml:3:20 C120"],
    ),
    ("survivorship's field", edit(CUSTOMER, "name: [crm", "nmae: [crm"), ["entities/customer.yaml:10:3 C055"]),
    ("survivorship's system", edit(CUSTOMER, "[crm, erp]", "[crm, epr]"), ["entities/customer.yaml:10:15 C053"]),
    ("survivorship's rule", edit(CUSTOMER, "longest", "longst"), ["entities/customer.yaml:11:11 C013"]),
    ("rule that does not fit", edit(CUSTOMER, "contacts: union", "credit: longest"), ["entities/customer.yaml:12:11 C056"]),
    ("union of texts", edit(CUSTOMER, "longest", "union"), ["entities/customer.yaml:11:11 C056"]),
    ("default that does not fit", edit(CUSTOMER, "most_recent", "union"), ["entities/customer.yaml:9:12 C056"]),
    (
        "field with two rules",
        edit(
            CUSTOMER,
            "contacts: union",
            "contacts: union\n          groups: {names: {fields: [email, name], rule: most_complete}}",
        ),
        ["entities/customer.yaml:13:36 C130"],
    ),
    (
        "brake's share",
        edit(CUSTOMER, "identity:", "brakes: {delete: 5}\n        identity:"),
        ["entities/customer.yaml:6:18 C027"],
    ),
    (
        "brake's field",
        edit(CUSTOMER, "identity:", "brakes: {blank: {tax: 1%}}\n        identity:"),
        ["entities/customer.yaml:6:18 C055"],
    ),
    (
        "brake on a text",
        edit(CUSTOMER, "identity:", "brakes: {move: {name: {by: 5%, share: 1%}}}\n        identity:"),
        ["entities/customer.yaml:6:17 C141"],
    ),
    ("snapshot of events", edit(ERP, "every: 5m", "every: 5m\n            snapshot: true"), ["systems/erp.yaml:11:5 C140"]),
    ("unread file", {"systems/hr.yml": "system: hr\n"}, ["systems/hr.yml:1:1 C031"]),
    ("unused table", {"tables/other.csv": "a,b\n"}, ["tables/other.csv:1:1 C065"]),
    ("empty table", {REGION: ""}, ["tables/region.csv:1:1 C070"]),
    ("row too long", {REGION: 'from,to\n1,"a\nb"\n2,3,4\n'}, ["tables/region.csv:4:1 C071"]),
    ("column twice", {REGION: "from,from\n1,2\n"}, ["tables/region.csv:1:1 C072"]),
    ("open quote", {REGION: 'from,to\n1,"2\n3,4\n'}, ["tables/region.csv:2:1 C073"]),
]


@pytest.mark.parametrize(("changes", "expected"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_mistake_is_found_at_its_place_and_nothing_else_is(tmp_path: Path, changes: Changes, expected: list[str]) -> None:
    loaded = load_hub(tmp_path, changes)

    found = [f"{p.file}:{p.line}:{p.column} {p.code.removeprefix('NAVE-')}" for p in loaded.problems]
    assert found == expected
    assert (loaded.config is None) == any(loaded.errors)


def test_the_good_hub_has_no_problem(tmp_path: Path) -> None:
    loaded = load_hub(tmp_path)

    assert loaded.problems == []
    assert loaded.config is loaded.partial


def test_every_code_of_the_catalogue_has_a_broken_folder() -> None:
    shown = {code.split()[1] for _, _, expected in BROKEN for code in expected}

    codes = {code.removeprefix("NAVE-") for code in catalogue() if code.startswith("NAVE-C")}
    elsewhere = {"C000", "C002", "C016", "C017", "C039", "C057"}
    assert codes - shown == elsewhere


@pytest.mark.parametrize(
    ("options", "code"),
    [("pool: x", "C015"), ("pool: 0", "C020"), ("login: 5", "C019"), ("login: {usr: 5}", "C011"), ("url: 5", "C014")],
)
def test_connector_options_are_explained_like_our_own(tmp_path: Path, options: str, code: str) -> None:
    url = "" if options.startswith("url") else 'url: "depot://db", '

    loaded = load_hub(tmp_path, edit(ERP, 'url: "depot://db", ', f"{url}{options}, "))

    assert [p.code for p in loaded.problems] == [f"NAVE-{code}"]


def test_all_problems_of_all_files_come_at_once_and_in_order(tmp_path: Path) -> None:
    loaded = load_hub(
        tmp_path,
        {
            HUB: "hub: p\nstor: x\n",
            **edit(ERP, "20/s", "20"),
            **edit(CUSTOMER, "longest", "longst"),
            REGION: "from,to\n1\n",
        },
    )

    assert [p.file for p in loaded.problems] == [CUSTOMER, HUB, ERP, REGION]


def test_a_folder_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    loaded = load(tmp_path / "nowhere")

    assert [p.code for p in loaded.problems] == ["NAVE-C001"]
    assert loaded.config is None


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems" / "hr.yaml").symlink_to(tmp_path / "nowhere")

    loaded = load_hub(tmp_path)

    assert [(p.file, p.code) for p in loaded.problems] == [("systems/hr.yaml", "NAVE-C002")]

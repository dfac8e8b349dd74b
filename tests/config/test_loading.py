"""What a good hub folder becomes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nave.config import HubConfig, load, parse
from nave.core.registry import connector
from nave.core.units import Rate
from tests.config.hubs import ENVIRON, GOOD, DepotOptions, DepotSink, DepotSource, load_hub, registry, write


def test_sources_and_sinks_are_known_by_their_full_names(tmp_path: Path) -> None:
    config = load_hub(tmp_path).config
    assert config is not None

    source = config.sources["erp.customers"]
    sink = config.sinks["erp.customers"]

    assert sorted(config.sources) == ["crm.contacts", "erp.customers"]
    assert (source.entity, source.mapping, source.every) == ("customer", "erp/customer", timedelta(minutes=5))
    assert isinstance(source.options, DepotSource)
    assert source.options.query == "select * from V_CUSTOMER"
    assert isinstance(sink.options, DepotSink)
    assert sink.limits.rate == Rate(20.0)
    assert sink.when == 'status == "active"'
    assert config.setting("erp.customers").time_zone == ZoneInfo("Asia/Shanghai")
    assert config.setting("erp.customers").folder == tmp_path


def test_a_key_that_the_connector_declares_too_reaches_both(tmp_path: Path) -> None:
    changed = {
        "systems/crm.yaml": """\
        system: crm
        connections: {db: {type: depot, url: "depot://crm"}}
        sources:
          contacts: {entity: contact, from: db, mapping: crm/contact, batch: 50, schedule: "5 6 * * 1-5"}
        """
    }

    config = load_hub(tmp_path, changed).config
    assert config is not None

    source = config.sources["crm.contacts"]
    assert isinstance(source.options, DepotSource)
    assert (source.batch, source.options.batch, source.schedule) == (50, 50, "5 6 * * 1-5")


def test_entities_are_extended_and_described_and_the_others_have_default_rules(tmp_path: Path) -> None:
    config = load_hub(tmp_path).config
    assert config is not None

    customer, course, order = (config.entities[name] for name in ("customer", "course", "order"))

    assert customer.identity == (("tax_id",), ("name", "phone"))
    assert (customer.rule("name"), customer.rule("contacts"), customer.rule("code")) == (
        ("crm", "erp"),
        "union",
        "most_recent",
    )
    assert customer.sensitive == {"plant_grade"}
    assert customer.entity.refs["visits[].host"] == "employee"
    assert customer.entity.validate([{"name": "X", "plant_grade": "A"}]) == [{"name": "X", "plant_grade": "A"}]
    assert course.entity.title == {"en": "Course", "zh": "课程"}
    assert course.entity.refs == {"teacher": "employee"}
    assert (order.identity, order.default, order.deliver) == ((), "most_recent", "latest")


def test_mappings_tests_and_tables_are_there_by_name(tmp_path: Path) -> None:
    config = load_hub(tmp_path).config
    assert config is not None

    assert sorted(config.mappings) == ["crm/contact", "erp/customer", "erp/customer-out"]
    assert config.mappings["erp/customer"].position(("fields", "region", "table")) == (5, 55)
    assert list(config.tests) == ["erp/customer"]
    assert config.tables == {"region": [{"from": "0001", "to": "310000"}]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_is_read_in_any_encoding_that_spreadsheets_write(tmp_path: Path, encoding: str) -> None:
    changed = {"tables/region.csv": "from,to\r\n上海,310000\r\n".encode(encoding)}

    config = load_hub(tmp_path, changed).config
    assert config is not None

    assert config.tables["region"] == [{"from": "上海", "to": "310000"}]


@pytest.mark.parametrize(
    ("written", "store"),
    [
        ("sqlite:///nave.db", "sqlite:///{folder}/nave.db"),
        ("sqlite:////var/nave.db", "sqlite:////var/nave.db"),
        ("postgresql://nave@db/nave", "postgresql://nave@db/nave"),
    ],
)
def test_a_relative_store_lies_in_the_folder(tmp_path: Path, written: str, store: str) -> None:
    config = load_hub(tmp_path, {"hub.yaml": f"hub: p\nstore: {written}\n"}).config
    assert config is not None

    assert config.store == store.format(folder=tmp_path)


def test_values_come_from_the_environment_from_files_and_from_defaults(tmp_path: Path) -> None:
    (tmp_path / "title.txt").write_text("工厂\n", encoding="utf-8")
    hub = """\
        hub: p
        title: {en: "${env:NAME:-plant} $${env:X}", zh: "${file:title.txt}"}
        http: {listen: "${env:HOST}:${env:PORT:-8080}", max_waiting: "${env:WAITING}"}
        """

    environ = {"HOST": "0.0.0.0", "WAITING": "5", "NAME": "", "ERP_PASSWORD": "x"}
    config = load_hub(tmp_path, {"hub.yaml": hub}, environ).config
    assert config is not None

    assert config.title == {"en": "plant ${env:X}", "zh": "工厂"}
    assert (config.http.listen, config.http.max_waiting) == ("0.0.0.0:8080", 5)


def test_a_reference_to_a_file_cannot_leave_the_folder_through_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    folder.mkdir()
    (tmp_path / "outside.txt").write_text("x", encoding="utf-8")
    (folder / "link").symlink_to(tmp_path / "outside.txt")

    linked = load_hub(folder, {"hub.yaml": "hub: p\ntitle: ${file:link}\n"})
    absolute = load_hub(folder, {"hub.yaml": f"hub: p\ntitle: ${{file:{tmp_path / 'outside.txt'}}}\n"})

    assert [p.code for p in linked.problems] == ["NAVE-C044"]
    assert absolute.config is not None


def test_a_broken_hub_still_says_what_could_be_read(tmp_path: Path) -> None:
    loaded = load_hub(tmp_path, {"hub.yaml": "hub: p\nhttp: {max_body: 5}\n", "entities/course.yaml": "entity: x\n"})

    assert loaded.config is None
    assert loaded.partial.name == "p"
    assert isinstance(loaded.partial.systems["erp"].connections["db"].options, DepotOptions)
    assert sorted(loaded.partial.documents)[:2] == ["entities/course.yaml", "entities/customer.yaml"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("1.50", Decimal("1.50")),
        ("0001", "0001"),
        ("00.5", "00.5"),
        ("1e5", "1e5"),
        ("12E5", "12E5"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("+8613800138000", "+8613800138000"),
        ("12:30", "12:30"),
        ("2026-11-21", "2026-11-21"),
        ("NO", "NO"),
        ("yes", "yes"),
        ("true", True),
        ("'true'", "true"),
        ("~", None),
        ("", None),
        ("''", ""),
        (".inf", ".inf"),
        ("9" * 5000, "9" * 5000),
        ("|\n  a\n  b", "a\nb\n"),
    ],
)
def test_a_bare_word_is_a_number_only_if_nothing_of_it_is_lost(written: str, value: object) -> None:
    document, problems = parse("x.yaml", f"key: {written}\n")

    assert problems == []
    assert document.data == {"key": value}
    assert type(document.data["key"]) is type(value)


def test_keys_are_text_as_written() -> None:
    document, problems = parse("x.yaml", "NO: 1\n0001: 2\n12: 3\ntrue: 4\n客户: 5\n")

    assert problems == []
    assert document.data == {"NO": 1, "0001": 2, "12": 3, "true": 4, "客户": 5}


HTTP_SINK = """\
    system: crm
    connections:
      api: {type: http, url: "http://127.0.0.1:18100"}
    sources:
      contacts: {entity: contact, from: api, mapping: crm/contact, limits: {rate: 30/m, journal: 500}}
    sinks:
      customers: {entity: customer, to: api, path: /c, mapping: crm/out, limits: {LIMITS}}
    """
HTTP_OUT = "mapping: crm/out\nfrom: customer\nto: crm.customers\nfields: {CODE: code}\n"


def http_hub(folder: Path, limits: str) -> HubConfig:
    files = {**GOOD, "systems/crm.yaml": HTTP_SINK.replace("LIMITS", limits), "mappings/crm/out.yaml": HTTP_OUT}
    loaded = load(
        write(folder, files), registry=lambda name: connector(name) if name == "http" else registry(name), environ=ENVIRON
    )
    assert loaded.config, [str(one) for one in loaded.problems]
    return loaded.config


def test_limits_that_the_connector_keeps_reach_its_options(tmp_path: Path) -> None:
    sink = http_hub(tmp_path, "concurrency: 3, timeout: 7s").sinks["crm.customers"]

    assert (getattr(sink.options, "concurrency", None), getattr(sink.connection.options, "timeout", None)) == (
        3,
        timedelta(seconds=7),
    )


@pytest.mark.parametrize(
    ("limits", "batch"),
    [
        ("rate: 20/s", 20),
        ("rate: 90/m", 2),
        ("rate: 5/h", 1),
        ("rate: 5000/s", 1000),
        ("rate: 20/s, batch: 7", 7),
        ("batch: 7", 7),
    ],
)
def test_a_write_holds_no_more_than_a_second_of_the_rate(tmp_path: Path, limits: str, batch: int) -> None:
    assert http_hub(tmp_path, limits).sinks["crm.customers"].limits.batch == batch


def test_the_limits_of_a_pushed_source_and_of_the_hub(tmp_path: Path) -> None:
    config = http_hub(tmp_path, "batch: 7")

    limits = config.sources["crm.contacts"].limits
    assert limits.rate is not None
    assert (limits.rate.per_second, limits.journal) == (0.5, 500)
    assert (config.limits.journal, config.limits.journal_size) == (100_000, 2**30)


def test_the_token_of_the_door_is_a_secret(tmp_path: Path) -> None:
    written = load_hub(tmp_path, {"hub.yaml": "hub: plant\nhttp: {token: hunter22}\n"})
    named = load_hub(tmp_path, {"hub.yaml": "hub: plant\nhttp: {token: '${env:T}'}\n"}, {**ENVIRON, "T": "hunter22"})

    assert [one.code for one in written.problems] == ["NAVE-C045"]
    assert "hunter22" not in written.problems[0].render()
    assert named.config
    assert named.config.http.token
    assert named.config.http.token.get_secret_value() == "hunter22"
    assert "hunter22" not in repr(named.config)

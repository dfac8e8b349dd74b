"""Ready-made CRM systems against their stand-ins: people edit on both sides, answers get lost, and both sides end equal."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nave.workers.apply import apply_step
from nave.workers.deliver import deliver_step
from nave.workers.flows import Hub
from nave.workers.probe import probe_step
from nave.workers.read import read_pass
from nave.workers.sweep import sweep_step
from tests.cli.calls import nave
from tests.peers.espocrm import KEY, Espo
from tests.peers.running import running
from tests.peers.suitecrm import SECRET, Suite
from tests.whole import small

_ERP = """
system: erp
time_zone: UTC
connections: {drop: {type: files, url: ./drop}}
sources:
  customers:
    entity: customer
    from: drop
    pattern: "customers*.csv"
    format: {type: csv}
    ready: {quiet: 0s}
    mapping: erp/customer
  people:
    entity: contact
    from: drop
    pattern: "people*.csv"
    format: {type: csv}
    ready: {quiet: 0s}
    mapping: erp/people
"""
_CUSTOMER = """
mapping: erp/customer
from: erp.customers
to: customer
key: CODE
version: AT | datetime
fields: {code: CODE, name: NAME, phone: PHONE}
"""
_PEOPLE = """
mapping: erp/people
from: erp.people
to: contact
key: CODE
fields: {name: NAME, customer: CUSTOMER}
"""


@pytest.fixture
def espo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Espo]:
    made = Espo()
    with running(made.app()) as url:
        monkeypatch.setenv("ESPOCRM_URL", url)
        monkeypatch.setenv("ESPOCRM_API_KEY", KEY)
        yield made


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    made = Suite()
    with running(made.app()) as url:
        monkeypatch.setenv("SUITECRM_URL", url)
        monkeypatch.setenv("SUITECRM_CLIENT_SECRET", SECRET)
        yield made


def begin(folder: Path, system: str) -> Path:
    """A hub with a ready-made CRM as it ships, and an ERP that drops files."""
    assert nave("init", folder, "--system", system).status == 0
    (folder / "mappings/erp").mkdir()
    (folder / "drop").mkdir()
    (folder / "systems/erp.yaml").write_text(_ERP, "utf-8")
    (folder / "mappings/erp/customer.yaml").write_text(_CUSTOMER, "utf-8")
    (folder / "mappings/erp/people.yaml").write_text(_PEOPLE, "utf-8")
    return folder


def drop(folder: Path, name: str, *rows: str) -> None:
    """A file of the ERP."""
    head = "CODE,NAME,PHONE,AT" if name.startswith("customers") else "CODE,NAME,CUSTOMER"
    (folder / "drop" / f".{name}").write_text("\n".join([head, *rows, ""]), "utf-8")
    (folder / "drop" / f".{name}").rename(folder / "drop" / name)


def golden(folder: Path, what: str) -> Any:
    """The document of a golden record."""
    answer = nave("show", what, "--json", hub=folder, environ=os.environ)
    assert answer.status == 0, answer.err
    return answer.data["records"][0]["document"]


def again(folder: Path, *sources: str) -> None:
    """Ask the CRM once more, and do all that follows."""
    for source in sources:
        assert nave("sync", source, hub=folder, environ=os.environ).status == 0


@pytest.mark.slow
def test_espocrm_keeps_up_with_the_erp_and_the_erp_s_record_exists_once_when_the_answer_is_lost(
    tmp_path: Path, espo: Espo
) -> None:
    folder = begin(tmp_path / "hub", "espocrm")
    drop(folder, "customers_1.csv", "C1,盈硕标牌,021-1,2024-05-01 10:00:00", "C2,华东铭牌,021-2,2024-05-01 10:00:00")
    drop(folder, "people_1.csv", "P1,王伟,C1")
    espo.withheld.append("POST Account")

    small.run(folder)
    again(folder, "espocrm.accounts", "espocrm.contacts")

    accounts = {row["name"]: row for row in espo.held["Account"].values()}
    assert sorted(accounts) == ["华东铭牌", "盈硕标牌"]
    assert len(espo.held["Account"]) == 2
    assert [row["accountId"] for row in espo.held["Contact"].values()] == [accounts["盈硕标牌"]["id"]]
    assert [espo.calls.count(f"POST {entity}") for entity in ("Account", "Contact")] == [2, 1]
    assert [call for call in espo.calls if call.startswith("PUT")] == [], "what it was told and says again is not told again"
    assert small.letters(folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("edited", [False, True])
def test_what_espocrm_shows_before_the_lost_answer_is_looked_into_is_the_erp_s_record(
    tmp_path: Path, espo: Espo, edited: bool
) -> None:
    folder = begin(tmp_path / "hub", "espocrm")
    drop(folder, "customers_1.csv", "C1,盈硕标牌,021-1,2024-05-01 10:00:00")
    espo.withheld.append("POST Account")

    with small.opened(folder) as hub:
        read(hub, "erp.customers")
        told = hub.sinks["espocrm.accounts_out"]
        with told.open() as sink:
            deliver_step(hub, told, sink)
        (number,) = espo.held["Account"]
        if edited:
            espo.change("Account", number, phoneNumber="021-9")
        read(hub, "espocrm.accounts")
        waiting = [letter.code for letter in small.letters(folder)]
        assert told.probe is not None
        with told.probe() as probe:
            probe_step(hub, told, probe)
        sweep_step(hub)
        while apply_step(hub):
            pass

    assert waiting == (["NAVE-S985"] if edited else [])
    assert small.letters(folder) == []
    assert espo.calls == ["POST Account"]
    (record,) = nave("show", "customer/erp:C1", "--json", hub=folder, environ=os.environ).data["records"]
    assert record["document"]["phone"] == ("021-9" if edited else "021-1")
    assert golden(folder, f"customer/espocrm:{number}") == record["document"]


def read(hub: Hub, source: str) -> None:
    """Read a source, and take in what it has."""
    read_pass(hub, hub.sources[source], threading.Event())
    while apply_step(hub):
        pass


@pytest.mark.slow
def test_what_somebody_changes_in_espocrm_goes_to_its_own_record_and_quiet_follows(tmp_path: Path, espo: Espo) -> None:
    folder = begin(tmp_path / "hub", "espocrm")
    drop(folder, "customers_1.csv", "C1,盈硕标牌,021-1,2024-05-01 10:00:00")
    nave("sync", "erp.customers", hub=folder, environ=os.environ)
    (number,) = espo.held["Account"]
    again(folder, "espocrm.accounts")
    espo.change("Account", number, name="上海盈硕标牌", emailAddress="a@example.com")

    again(folder, "espocrm.accounts")
    said = golden(folder, "customer/erp:C1")
    quiet = len(espo.calls)
    again(folder, "espocrm.accounts")

    assert (said["name"], said["email"]) == ("上海盈硕标牌", "a@example.com")
    assert espo.held["Account"][number]["name"] == "上海盈硕标牌"
    assert list(espo.held["Account"]) == [number]
    assert len(espo.calls) == quiet


@pytest.mark.slow
def test_suitecrm_gets_what_the_erp_says_once_and_gives_what_somebody_changes_there(tmp_path: Path, suite: Suite) -> None:
    folder = begin(tmp_path / "hub", "suitecrm")
    drop(folder, "customers_1.csv", "C1,盈硕标牌,021-1,2024-05-01 10:00:00", "C2,华东铭牌,021-2,2024-05-01 10:00:00")
    drop(folder, "people_1.csv", "P1,王伟,C1")
    suite.withheld.append("POST Accounts")
    suite.lasts = 2
    small.run(folder)
    again(folder, "suitecrm.accounts")
    ids = {row["name"]: number for number, row in suite.held["Accounts"].items()}

    suite.change("Accounts", ids["盈硕标牌"], name="上海盈硕标牌", email1="a@example.com")
    again(folder, "suitecrm.accounts")
    said = golden(folder, "customer/erp:C1")

    assert (said["name"], said["email"]) == ("上海盈硕标牌", "a@example.com")
    assert {row["name"] for row in suite.held["Accounts"].values()} == {"上海盈硕标牌", "华东铭牌"}
    assert [row["account_id"] for row in suite.held["Contacts"].values()] == [ids["盈硕标牌"]]
    assert [suite.calls.count(f"POST {module}") for module in ("Accounts", "Contacts")] == [2, 1]
    assert small.letters(folder) == []


def test_more_accounts_than_one_page_come_once_each_though_their_times_are_equal(tmp_path: Path, espo: Espo) -> None:
    folder = tmp_path / "hub"
    nave("init", folder, "--system", "espocrm")
    for number in range(450):
        espo.put("Account", at="2024-05-01 10:00:00", name=f"N{number}")

    looked = nave("connector", "sample", "espocrm.accounts", "-n", "3", "--json", hub=folder, environ=os.environ)
    before = (folder / "nave.db").exists()
    read = nave("sync", "espocrm.accounts", "--json", hub=folder, environ=os.environ)

    assert [row["name"] for row in looked.data["records"]] == ["N0", "N1", "N2"]
    assert not before, "a sample opens no store"
    assert read.data["counts"]["applied"] == 450, read.data


def test_a_wrong_key_is_told_by_check_before_anything_else_is_tried(tmp_path: Path, espo: Espo, suite: Suite) -> None:
    folder = tmp_path / "hub"
    nave("init", folder, "--system", "espocrm", "--system", "suitecrm")

    good = nave("connector", "check", "espocrm", hub=folder, environ=os.environ)
    wrong = nave("connector", "check", "espocrm.api", hub=folder, environ={**os.environ, "ESPOCRM_API_KEY": "no"})
    token = nave("connector", "check", "suitecrm", hub=folder, environ={**os.environ, "SUITECRM_CLIENT_SECRET": "no"})
    none = nave("connector", "check", "espocmr", hub=folder, environ=os.environ)
    away = nave("connector", "check", "espocrm", hub=folder, environ={**os.environ, "ESPOCRM_URL": "http://127.0.0.1:9"})

    assert [one.status for one in (good, wrong, token, none, away)] == [0, 1, 1, 2, 3]
    assert "NAVE-K383" in none.err
    assert "no" not in wrong.out.split()


def test_an_account_of_a_name_that_espocrm_has_is_left_to_a_person(tmp_path: Path, espo: Espo) -> None:
    folder = begin(tmp_path / "hub", "espocrm")
    espo.put("Account", name="盈硕标牌")
    drop(folder, "customers_1.csv", "C1,盈硕标牌,021-1,2024-05-01 10:00:00")

    nave("sync", "erp.customers", hub=folder, environ=os.environ)

    assert len(espo.held["Account"]) == 1
    (letter,) = small.letters(folder)
    assert letter.code == "NAVE-S062"

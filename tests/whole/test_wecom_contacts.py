"""The ready-made customers of WeCom against their stand-in: who follows whom, tokens that end, what is noted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import nave
from tests.peers.wecom_contacts import Contacts, contact, wecom_contacts
from tests.servers import free_port
from tests.whole import small
from tests.whole.test_crm import golden

_ERP = """
system: erp
connections: {drop: {type: files, url: ./drop}}
sources:
  people: {entity: contact, from: drop, pattern: "people*.csv", format: {type: csv}, ready: {quiet: 0s}, mapping: erp/people}
"""
_PEOPLE = """
mapping: erp/people
from: erp.people
to: contact
key: CODE
fields: {name: NAME, phone: PHONE}
"""


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Contacts]:
    with wecom_contacts(free_port(), page=2) as made:
        monkeypatch.setenv("WECOM_CORP_ID", made.id)
        monkeypatch.setenv("WECOM_CONTACTS_SECRET", made.secret)
        yield made


def begin(folder: Path, cloud: Contacts) -> Path:
    """The ready-made system as it ships, but that its service is the stand-in."""
    nave("init", folder, "--system", "wecom-contacts")
    system = folder / "systems/wecom-contacts.yaml"
    text = system.read_text("utf-8").replace("    # url: https://qyapi.weixin.qq.com", f"    url: {cloud.url}")
    system.write_text(text, "utf-8")
    return folder


@pytest.mark.slow
def test_customers_become_contacts_with_what_their_followers_noted(tmp_path: Path, cloud: Contacts) -> None:
    folder = begin(tmp_path / "hub", cloud)
    noted = {"remark": "李部长", "remark_corp_name": "盈硕标牌", "remark_mobiles": ["13800000001"]}
    cloud.punches = [contact("wm1", "rocky"), contact("wm1", "tommy", 1_525_881_637, **noted)]
    cloud.punches += [contact(f"wm{number}", "tommy") for number in range(2, 6)]
    cloud.ends_after = 2

    checked = nave("connector", "check", "wecom-contacts", hub=folder, environ=os.environ)
    looked = nave("connector", "sample", "wecom-contacts.contacts", "-n", "1", "--json", hub=folder, environ=os.environ)
    read = nave("sync", "wecom-contacts.contacts", "--json", hub=folder, environ=os.environ)
    again = nave("sync", "wecom-contacts.contacts", "--json", hub=folder, environ=os.environ)

    assert [one.status for one in (checked, looked, read, again)] == [0, 0, 0, 0], (looked.err, read.err)
    assert (read.data["counts"]["applied"], again.data["counts"]["applied"]) == (5, 0)
    told = golden(folder, "contact/wecom-contacts:wm1")
    assert (told["name"], told["phone"], told["customer"]["key"]) == ("李部长", "13800000001", "盈硕标牌")
    assert golden(folder, "customer/wecom-contacts:盈硕标牌")["name"] == "盈硕标牌"
    assert small.letters(folder) == []
    assert cloud.tokens > 3


def with_erp(folder: Path) -> Path:
    """Beside it an ERP that drops files; a telephone number says who is who."""
    for name in ("mappings/erp", "entities", "drop"):
        (folder / name).mkdir(parents=True)
    (folder / "systems/erp.yaml").write_text(_ERP, "utf-8")
    (folder / "mappings/erp/people.yaml").write_text(_PEOPLE, "utf-8")
    (folder / "entities/contact.yaml").write_text("entity: contact\nidentity: {exact: [phone]}\n", "utf-8")
    return folder


def sync(folder: Path, source: str) -> dict[str, Any]:
    done = nave("sync", source, "--json", hub=folder, environ=os.environ)
    assert done.status == 0, done.err
    counts: dict[str, Any] = done.data["counts"]
    return counts


def drop(folder: Path, number: int, *rows: str) -> None:
    (folder / f"drop/people_{number}.csv").write_text("\n".join(("CODE,NAME,PHONE", *rows, "")), "utf-8")
    sync(folder, "erp.people")


@pytest.mark.slow
def test_the_erp_s_word_is_noted_and_what_an_employee_notes_comes_back_and_quiet_follows(
    tmp_path: Path, cloud: Contacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WECOM_NOTES", "yes")
    folder = with_erp(begin(tmp_path / "hub", cloud))
    cloud.punches = [contact("wm1", "tommy", 20), contact("wm1", "rocky", 10, remark_mobiles=["13800000001", "021-1"])]
    sync(folder, "wecom-contacts.contacts")

    drop(folder, 1, "P1,李四,13800000001", "P2,王五,13900000002")
    noted = dict(cloud.noted("wm1", "rocky"))
    sync(folder, "wecom-contacts.contacts")
    cloud.noted("wm1", "rocky")["remark"] = "李部长"
    sync(folder, "wecom-contacts.contacts")
    told = golden(folder, "contact/erp:P1")
    drop(folder, 2, "P1,李总,13800000001")
    sync(folder, "wecom-contacts.contacts")
    quiet = sync(folder, "wecom-contacts.contacts")

    assert (noted["remark"], noted["remark_mobiles"]) == ("李四", ["13800000001", "021-1"])
    assert told["name"] == "李部长"
    assert golden(folder, "contact/wecom-contacts:wm1")["name"] == "李总"
    assert cloud.noted("wm1", "rocky")["remark_mobiles"] == ["13800000001", "021-1"]
    about = {"userid": "rocky", "external_userid": "wm1"}
    assert cloud.notes == [{**about, "remark": "李四"}, {**about, "remark": "李总"}]
    assert quiet["applied"] == 0
    assert small.letters(folder) == []


@pytest.mark.slow
def test_nothing_is_noted_unless_somebody_says_so(tmp_path: Path, cloud: Contacts) -> None:
    folder = with_erp(begin(tmp_path / "hub", cloud))
    cloud.punches = [contact("wm1", "rocky", remark_mobiles=["13800000001"])]
    sync(folder, "wecom-contacts.contacts")

    drop(folder, 1, "P1,李四,13800000001")

    assert golden(folder, "contact/wecom-contacts:wm1") == golden(folder, "contact/erp:P1")
    assert cloud.notes == []

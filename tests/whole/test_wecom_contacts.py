"""The ready-made customers of WeCom against their stand-in: who follows whom, tokens that end, who is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import nave
from tests.peers.cloud_clocks import Cloud
from tests.peers.wecom_contacts import contact, wecom_contacts
from tests.servers import free_port
from tests.whole import small
from tests.whole.test_crm import golden


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with wecom_contacts(free_port(), page=2) as made:
        monkeypatch.setenv("WECOM_CORP_ID", made.id)
        monkeypatch.setenv("WECOM_CONTACTS_SECRET", made.secret)
        yield made


@pytest.mark.slow
def test_customers_become_contacts_with_what_their_followers_noted(tmp_path: Path, cloud: Cloud) -> None:
    folder = tmp_path / "hub"
    nave("init", folder, "--system", "wecom-contacts")
    system = folder / "systems/wecom-contacts.yaml"
    text = system.read_text("utf-8").replace("    # url: https://qyapi.weixin.qq.com", f"    url: {cloud.url}")
    system.write_text(text, "utf-8")
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

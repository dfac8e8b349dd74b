"""`nave match`: learns from what systems said, shows what it learned, and why two records get their score."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nave.core.store import open_store
from nave.core.store import schema as t
from tests.cli.calls import nave

_PLACES = ("上海", "苏州", "宁波", "杭州")
_CORES = ("盈硕", "博创", "宏达", "恒泰", "精锐", "华瑞", "鼎新", "立诚", "海拓", "天和")


def _customer(number: int, form: str) -> dict[str, str]:
    place, core = _PLACES[number % 4], _CORES[number % 10] + _CORES[number // 10 % 10][0]
    return {
        "name": f"{place}{core}标牌{form}",
        "phone": f"0512-6{number * 7919 % 10**7:07}",
        "email": f"c{number}@example.com",
    }


@pytest.fixture
def known(hub: Path) -> Path:
    """A hub to which two systems told the same eighty customers, each in its own words."""
    assert nave("db", "upgrade", hub=hub).status == 0
    store = open_store(f"sqlite:///{hub}/nave.db", hub)
    rows = [
        {
            "entity": "customer",
            "system": system,
            "key": f"{prefix}{number}",
            "source": f"{system}.customers",
            "record_id": number + (1000 if system == "erp" else 0),
            "version": "1",
            "changed_at": 1.0,
            "arrival": 1,
            "hash": b"",
            "doc": json.dumps(_customer(number, form), ensure_ascii=False),
            "journal_id": 1,
            "place": 1,
        }
        for system, prefix, form in (("shop", "S", "有限公司"), ("erp", "E", "有限責任公司"))
        for number in range(80)
    ]
    with store.write() as tx:
        tx.execute(t.source_record.insert(), rows)
    store.close()
    return hub


def test_what_was_learned_tells_the_same_customer_from_another(known: Path) -> None:
    trained = nave("match", "train", "customer", hub=known)

    same = nave("--json", "match", "score", "customer/S7", "E7", hub=known)
    other = nave("--json", "match", "score", "customer/shop:S7", "erp:E8", hub=known)

    assert trained.status == 0
    assert (known / "entities/customer.match.json").exists()
    assert same.data["score"] > 0.97
    assert same.data["compared"]
    assert same.data["steps"][-1]["probability"] == same.data["score"]
    assert other.data["score"] < 0.01


def test_a_person_sees_the_weights_and_the_steps(known: Path) -> None:
    nave("match", "train", "customer", hub=known)

    shown = nave("match", "show", "customer", hub=known)
    scored = nave("--lang", "zh", "match", "score", "customer/S7", "E7", hub=known)

    assert "company" in shown.out
    assert "other branch" in shown.out
    assert "任意两条记录" in scored.out
    assert "因共有以下键而被比较" in scored.out


def test_scored_identity_is_checked_against_its_model(known: Path) -> None:
    file = known / "entities/customer.yaml"
    text = file.read_text(encoding="utf-8").split("identity:")[0]
    file.write_text(f"{text}identity: {{scored: {{link: 0.97}}}}\n", encoding="utf-8")

    before = nave("check", hub=known)
    nave("match", "train", "customer", hub=known)
    after = nave("check", hub=known)

    assert "NAVE-C124" in before.out + before.err
    assert "nave match train customer" in before.out + before.err
    assert "NAVE-C12" not in after.out + after.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("match", "show", "customer"), "NAVE-E075"),
        (("match", "train", "product"), "NAVE-E072"),
        (("match", "train", "custmer"), "NAVE-E203"),
    ],
)
def test_what_cannot_be_done_is_said(known: Path, arguments: tuple[str, ...], code: str) -> None:
    answer = nave(*arguments, hub=known)

    assert answer.status != 0
    assert code in answer.err

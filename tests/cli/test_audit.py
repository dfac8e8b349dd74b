"""`nave audit`: who did what can be read in both languages, and what somebody did to the record by hand is told."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.calls import nave
from tests.cli.test_repair import until_idle
from tests.cli.tiny import write_hub

KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


def by_hand(hub: Path, statement: str) -> None:
    with closing(sqlite3.connect(hub / "nave.db")) as base, base:
        base.execute(statement)


def discard_all(hub: Path, who: str = "li.wei") -> None:
    assert nave("dead", "discard", "--all", "--yes", "--as", who, hub=hub).status == 0


def test_a_hub_that_nobody_touched_has_an_empty_audit_that_is_whole(tmp_path: Path) -> None:
    hub = write_hub(tmp_path / "hub")

    assert nave("audit", "list", hub=hub).out == "nobody has done anything that is recorded\n"
    verified = nave("audit", "verify", hub=hub)
    assert (verified.status, verified.out) == (0, "The audit is whole: 0 entries, sealed.\n")


def test_what_a_person_did_is_there_at_once_and_sealed_by_the_next_run(full: Path) -> None:
    number = nave("dead", "list", "--json", hub=full).data["letters"][0]["id"]
    discard_all(full)
    listed = nave("audit", "list", "--json", hub=full).data["entries"]
    before = nave("audit", "verify", hub=full)
    until_idle(full)
    after = nave("audit", "verify", "--json", hub=full)

    assert [(one["actor"], one["action"], one["subject"], one["place"]) for one in listed] == [
        ("li.wei", "dead.discarded", f"shop.customers:{number}", None)
    ]
    assert (before.status, "1 entry is not sealed yet" in before.out) == (0, True)
    assert after.data == {
        "apiVersion": "nave.cli/v1",
        "sealed": 1,
        "unsealed": 0,
        "heads": 1,
        "vouched": 1,
        "signed": False,
        "lost": 0,
        "flaws": [],
    }
    assert nave("audit", "list", "--json", hub=full).data["entries"][0]["place"] == 1


def test_entries_are_found_by_who_and_what(full: Path) -> None:
    discard_all(full)
    pinned = nave("pin", "customer/S1.remark", "seen", "--reason", "as they said", "--as", "王芳", hub=full)
    assert pinned.status == 0, pinned.err

    def actions(*options: str) -> list[str]:
        return [one["action"] for one in nave("audit", "list", "--json", *options, hub=full).data["entries"]]

    assert actions() == ["pin.set", "dead.discarded"]
    assert actions("--actor", "王芳") == actions("--subject", "customer/") == ["pin.set"]
    assert actions("--action", "dead") == ["dead.discarded"]
    assert actions("--limit", "1") == ["pin.set"]
    shown = nave("--lang", "zh", "audit", "list", hub=full).out
    assert "操作人" in shown
    assert "as they said" in shown


def test_a_pinned_value_that_is_sensitive_is_masked(full: Path) -> None:
    pinned = nave("pin", "customer/S1.secret_grade", "the secret", "--reason", "r", hub=full)
    assert pinned.status == 0, pinned.err

    answer = nave("audit", "list", "--json", hub=full)

    assert "the secret" not in answer.out
    assert answer.data["entries"][0]["detail"]["value"] == "***"


def test_each_way_of_tampering_is_told_with_its_place_and_the_status_says_so(full: Path) -> None:
    discard_all(full)
    for name in ("remark", "name"):
        assert nave("pin", f"customer/S1.{name}", "x", "--reason", "r", hub=full).status == 0
    until_idle(full)
    assert nave("audit", "verify", hub=full).status == 0

    by_hand(full, "UPDATE audit SET actor = 'nobody' WHERE place = 1")
    edited = nave("audit", "verify", hub=full)
    by_hand(full, "DELETE FROM audit WHERE place = 2")
    deleted = nave("audit", "verify", "--json", hub=full)
    by_hand(full, "DELETE FROM audit WHERE place = 3")
    cut = nave("--lang", "zh", "audit", "verify", hub=full)

    assert (edited.status, deleted.status, cut.status) == (1, 1, 1)
    assert "error[NAVE-E140]: entry 1 of the audit" in edited.err
    assert "compare it with a backup" in edited.err
    assert edited.out.startswith("The audit is not what it was: 1 flaw.")
    assert [(one["code"], one["place"]) for one in deleted.data["flaws"]] == [("NAVE-E140", 1), ("NAVE-E141", 2)]
    assert "NAVE-E142" in cut.err
    assert "审计已不是原样" in cut.out


def test_with_a_key_the_heads_are_signed_and_one_from_somebody_else_is_told(full: Path) -> None:
    hub_file = full / "hub.yaml"
    (full / "audit.key").write_text(KEY)
    hub_file.write_text(hub_file.read_text("utf-8") + 'audit: {heads: heads.jsonl, keys: ["${file:audit.key}"]}\n', "utf-8")
    discard_all(full)
    until_idle(full)
    signed = nave("audit", "verify", hub=full)
    heads = full / "heads.jsonl"
    heads.write_text(heads.read_text().replace('"place": 1', '"place": 7'))
    forged = nave("audit", "verify", hub=full)

    assert (signed.status, "heads.jsonl, signed, vouches for it up to entry 1" in signed.out) == (0, True)
    assert (forged.status, "NAVE-E144" in forged.err) == (1, True)


def test_an_older_copy_is_an_error_until_somebody_says_that_it_was_a_restore(full: Path, tmp_path: Path) -> None:
    discard_all(full)
    until_idle(full)
    assert nave("backup", tmp_path / "copy.db", hub=full).status == 0
    assert nave("pin", "customer/S1.remark", "x", "--reason", "r", hub=full).status == 0
    until_idle(full)
    for left in full.glob("nave.db*"):
        left.unlink()
    shutil.copy(tmp_path / "copy.db", full / "nave.db")

    older = nave("audit", "verify", hub=full)
    assert nave("db", "restored", "--as", "ops", hub=full).status == 0
    until_idle(full)
    said = nave("audit", "verify", hub=full)

    assert (older.status, "NAVE-E142" in older.err) == (1, True)
    assert said.status == 0, said.err
    assert "1 entry that was sealed is gone by a restore." in said.out
    newest = nave("audit", "list", "--limit", "1", "--json", hub=full).data["entries"][0]
    assert (newest["actor"], newest["action"], newest["detail"]["audit"]) == ("ops", "store.restored", 1)


def test_who_applied_changed_rules_is_recorded(full: Path) -> None:
    entity = full / "entities" / "customer.yaml"
    entity.write_text(entity.read_text("utf-8").replace("tax_id", "phone"), "utf-8")
    planned = nave("plan", "--json", hub=full)
    done = nave("apply", "--yes", "--as", "王芳", "--json", hub=full)

    assert (planned.status, done.status) == (0, 0), done.err
    names = done.data["applied"]
    newest = nave("audit", "list", "--json", hub=full).data["entries"][0]
    assert names
    assert (newest["actor"], newest["action"], newest["detail"]) == ("王芳", "rules.applied", {"names": names})

"""What a sink has sent is kept with what it does, or not at all, and no version of a record goes down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nave.connectors.files.ledger import Intent, Ledger
from nave.connectors.mail.letter import Letter
from nave.connectors.mail.outbox import Outbox
from nave.core.protocols import Outbound


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.db")) as made:
        yield made


def _records(count: int, version: int) -> list[Outbound]:
    return [Outbound(f"k{number}", version, {}) for number in range(count)]


def test_more_keys_than_one_query_takes_are_found_again(ledger: Ledger) -> None:
    ledger.intend(Intent(1, "a.tmp", "a"), _records(1200, 3))

    found = ledger.versions([f"k{number}" for number in range(1300)])

    assert found == {f"k{number}": 3 for number in range(1200)}


def test_no_version_goes_down(ledger: Ledger) -> None:
    ledger.intend(Intent(1, "a.tmp", "a"), _records(1, 7))
    ledger.intend(Intent(2, "b.tmp", "b"), _records(1, 6))

    assert ledger.versions(["k0"]) == {"k0": 7}


def test_what_could_not_be_noted_leaves_nothing_behind(ledger: Ledger) -> None:
    with pytest.raises(OverflowError):
        ledger.intend(Intent(1, "a.tmp", "a"), [*_records(1, 1), Outbound("large", 2**80, {})])

    assert ledger.intents() == []
    assert ledger.versions(["k0"]) == {}
    ledger.intend(Intent(1, "a.tmp", "a"), _records(1, 1))


def test_a_mail_is_kept_until_its_records_are_sent_and_the_next_process_knows(tmp_path: Path) -> None:
    mail = Letter("<1@nave>", b"content", (("a", 1), ("b", 2)))
    with closing(Outbox(tmp_path / "outbox.db")) as outbox:
        outbox.keep(mail)
    with closing(Outbox(tmp_path / "outbox.db")) as outbox:
        assert (outbox.kept(), outbox.versions(["a"])) == ([mail], {})
        outbox.sent(mail)

    with closing(Outbox(tmp_path / "outbox.db")) as outbox:
        assert (outbox.kept(), outbox.versions(["a", "b"])) == ([], {"a": 1, "b": 2})

"""The chain of the audit and the heads that vouch for it: whatever is done to either shows; what is whole is believed."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nave.core.chain import START, Entry, Flaw, Sealed, flaws, link
from nave.core.heads import HeadsFile

EDITED, MISSING, CUT, ANEW, NO_HEAD = (f"NAVE-E14{number}" for number in range(5))
KEY, OTHER_KEY = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


def sealed(entries: Sequence[Entry], before: bytes = START, place: int = 0) -> list[Sealed]:
    chain: list[Sealed] = []
    for entry in entries:
        place, before = place + 1, link(before, place + 1, entry)
        chain.append(Sealed(place, before, entry))
    return chain


def entry(number: int, actor: str = "li.wei") -> Entry:
    return Entry(
        number, 1_800_000_000.25 + number, actor, "dead.discarded", f"crm.contacts:{number}", '{"code":"NAVE-M104"}'
    )


CHAIN = sealed([entry(number) for number in range(1, 11)])
HEADS = {one.place: one.hash for one in CHAIN if one.place in (4, 10)}


def found(chain: Sequence[Sealed], heads: dict[int, bytes] = HEADS) -> list[Flaw]:
    return list(flaws(chain, heads))


def test_a_chain_that_nobody_touched_has_no_flaws_with_heads_or_without() -> None:
    assert found(CHAIN) == found(CHAIN, {}) == found([], {}) == []


texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
whole = st.builds(Entry, st.integers(0, 2**63 - 1), st.floats(0, 2e9), texts, texts, texts, texts)


@given(st.lists(whole, min_size=1, max_size=6), st.data())
def test_any_field_of_any_entry_that_says_something_else_is_found(entries: list[Entry], data: st.DataObject) -> None:
    chain = sealed(entries)
    at = data.draw(st.integers(0, len(entries) - 1))
    other = data.draw(whole.filter(lambda one: one != entries[at]))
    name = data.draw(
        st.sampled_from([field for field in Entry._fields if getattr(other, field) != getattr(entries[at], field)])
    )
    changed = chain[at]._replace(entry=entries[at]._replace(**{name: getattr(other, name)}))

    assert found([*chain[:at], changed, *chain[at + 1 :]], {}) == [Flaw(EDITED, at + 1, at + 1)]


def test_what_moves_between_fields_does_not_stay_the_same() -> None:
    one, other = entry(1)._replace(actor="ab", action="c"), entry(1)._replace(actor="a", action="bc")
    assert link(START, 1, one) != link(START, 1, other)


@pytest.mark.parametrize(
    ("chain", "what"),
    [
        (CHAIN[:3] + CHAIN[5:], [Flaw(MISSING, 4, 5)]),
        (CHAIN[2:], [Flaw(MISSING, 1, 2)]),
        (CHAIN[:8], [Flaw(CUT, 9, 10)]),
        ([], [Flaw(CUT, 1, 10)]),
    ],
    ids=["from the middle", "from the beginning", "from the end", "all of it"],
)
def test_entries_that_are_gone_are_named(chain: list[Sealed], what: list[Flaw]) -> None:
    assert found(chain) == what


def test_two_that_changed_places_are_both_found() -> None:
    second, third = CHAIN[1].entry, CHAIN[2].entry
    moved = [CHAIN[0], CHAIN[1]._replace(entry=third), CHAIN[2]._replace(entry=second), *CHAIN[3:]]
    assert [(one.code, one.place) for one in found(moved)] == [(EDITED, 2), (EDITED, 3)]


def test_a_chain_that_was_made_anew_fits_itself_and_no_head() -> None:
    forged = sealed([one.entry._replace(actor="nobody") for one in CHAIN])
    assert found(forged, {}) == []
    assert [(one.code, one.place) for one in found(forged)] == [(ANEW, 4), (ANEW, 10)]


def test_an_older_copy_that_went_on_does_not_fit_the_heads_from_before() -> None:
    older = CHAIN[:6] + sealed([entry(number) for number in range(20, 26)], CHAIN[5].hash, 6)
    assert [(one.code, one.place) for one in found(older)] == [(ANEW, 10)]


def test_heads_are_kept_once_each_and_read_back(tmp_path: Path) -> None:
    file = HeadsFile(tmp_path / "heads")
    told = [file.keep_up(place, CHAIN[place - 1].hash, 1_800_000_000.0) for place in (4, 4, 10)]
    again = HeadsFile(tmp_path / "heads")

    assert told == [True, False, True]
    assert again.read().by_place == HEADS
    assert again.keep_up(10, CHAIN[9].hash, 1_800_000_009.0) is False
    assert len((tmp_path / "heads").read_text().splitlines()) == 2


def test_a_line_that_a_crash_cut_short_counts_for_nothing_and_the_next_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "heads"
    HeadsFile(path).keep_up(4, CHAIN[3].hash, 1_800_000_000.0)
    path.write_bytes(path.read_bytes() + b'{"place": 9, "ha')

    assert HeadsFile(path).read().by_place == {4: CHAIN[3].hash}
    assert HeadsFile(path).keep_up(10, CHAIN[9].hash, 1_800_000_001.0)
    heads = HeadsFile(path).read()
    assert (heads.by_place, list(heads.flaws)) == (HEADS, [Flaw(NO_HEAD, 2, 2)])


def test_heads_are_believed_by_any_of_the_keys_and_without_their_key_by_none(tmp_path: Path) -> None:
    path = tmp_path / "heads"
    HeadsFile(path, [KEY]).keep_up(4, CHAIN[3].hash, 1_800_000_000.0)
    HeadsFile(path, [OTHER_KEY, KEY]).keep_up(10, CHAIN[9].hash, 1_800_000_000.0)

    assert HeadsFile(path, [OTHER_KEY, KEY]).read().by_place == HEADS
    assert list(HeadsFile(path, [OTHER_KEY]).read().flaws) == [Flaw(NO_HEAD, 1, 1)]


def test_a_head_that_was_written_by_somebody_without_the_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "heads"
    HeadsFile(path, [KEY]).keep_up(4, CHAIN[3].hash, 1_800_000_000.0)
    line = json.loads(path.read_text()) | {"hash": CHAIN[4].hash.hex()}
    path.write_text(json.dumps(line) + "\n")

    heads = HeadsFile(path, [KEY]).read()
    assert (dict(heads.by_place), list(heads.flaws)) == ({}, [Flaw(NO_HEAD, 1, 1)])


def test_two_heads_of_one_place_that_differ_are_found_and_the_older_counts(tmp_path: Path) -> None:
    file = HeadsFile(tmp_path / "heads")
    for place, digest in ((4, CHAIN[3].hash), (3, CHAIN[2].hash), (4, START)):
        file.keep_up(place, digest, 1_800_000_000.0)

    heads = file.read()
    assert heads.by_place[4] == CHAIN[3].hash
    assert list(heads.flaws) == [Flaw(ANEW, 4, 4)]


def test_heads_of_what_a_restore_took_back_say_nothing_any_more(tmp_path: Path) -> None:
    file = HeadsFile(tmp_path / "heads", [KEY])
    for place in (4, 10):
        file.keep_up(place, CHAIN[place - 1].hash, 1_800_000_000.0)
    file.restored(6, 1_800_000_001.0)
    later = CHAIN[:6] + sealed([entry(number) for number in range(20, 26)], CHAIN[5].hash, 6)
    file.keep_up(10, later[9].hash, 1_800_000_002.0)

    heads = file.read()
    assert (heads.by_place, heads.lost) == ({4: CHAIN[3].hash, 10: later[9].hash}, 4)
    assert list(flaws(later, heads.by_place)) == list(heads.flaws) == []


@given(st.binary(max_size=200))
def test_a_file_of_anything_is_read_without_a_crash(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("heads") / "heads"
    path.write_bytes(content)
    assert HeadsFile(path).read().by_place == {}


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "3",
        '"x"',
        "null",
        '{"place": 1}',
        '{"place": "1", "hash": ""}',
        '{"place": 1, "hash": 5}',
        '{"place": 1, "hash": "zz"}',
        '{"place": null, "hash": "00"}',
        '{"restored": "x"}',
        "[" * 100_000,
    ],
)
def test_a_line_that_is_no_head_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    (tmp_path / "heads").write_text(f"{line}\n")
    heads = HeadsFile(tmp_path / "heads").read()
    assert (dict(heads.by_place), list(heads.flaws)) == ({}, [Flaw(NO_HEAD, 1, 1)])

"""Windchill hears of each part and BOM of a release what became of it, under its transaction, until all of it is well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from nave.config.readymade import ready_systems
from nave.core import receipts, repair, stops
from nave.core.repair import Actor
from nave.workers.returning import write_back
from tests.connectors.test_receipts_killed import again, killed
from tests.peers.windchill import Windchill, windchill
from tests.whole import small

pytestmark = pytest.mark.slow
PART = (
    "<Part><ObjectID>OR:wt.part.WTPart:{id}</ObjectID><Class>com.ptc.windchill.esi.Part</Class><Number>{id}</Number><Name>n</Name>"
    "<Version>{version}</Version><Iteration>1</Iteration><ESITarget><TargetID>nave</TargetID></ESITarget></Part>"
)
HEADER = (
    "<BOMHeader><ObjectID>OR:wt.part.WTPart:{id}:bom</ObjectID><Class>com.ptc.windchill.esi.BOMHeader</Class><Number>{id}</Number>"
    "<Version>A</Version><Iteration>1</Iteration></BOMHeader>"
)
LINE = (
    "<BOMComponent><PartNumber>{child}</PartNumber><AssemblyPartNumber>{id}</AssemblyPartNumber><Quantity>1</Quantity>"
    "<Unit>ea</Unit><LineNumber>10</LineNumber></BOMComponent>"
)
EMPTY = "".join(
    f'<{name} STATUS="0"/>'
    for part in ("Parts", "BOMs", "BOMComponents")
    for name in (f"Changed{part}", f"Unchanged{part}", f"Deleted{part}")
)


def release(number: str, parts: Sequence[tuple[str, str]], boms: Sequence[tuple[str, str]] = ()) -> str:
    """A message: parts with their revisions, BOMs with their one component each."""
    added = "".join(PART.format(id=name, version=version) for name, version in parts)
    heads = "".join(HEADER.format(id=name) for name, _ in boms)
    lines = "".join(LINE.format(id=name, child=child) for name, child in boms)
    primary = f"<PrimaryObjectID>OR:wt.change2.WTChangeOrder2:{number}</PrimaryObjectID>"
    return (
        f"<COLLECTION><Release><Transaction><TransactionNumber>{number}</TransactionNumber>{primary}</Transaction></Release>"
        f"<AddedParts>{added}</AddedParts><AddedBOMs>{heads}</AddedBOMs><AddedBOMComponents>{lines}</AddedBOMComponents>"
        f"{EMPTY}</COLLECTION>"
    )


@pytest.fixture
def peer() -> Iterator[Windchill]:
    with windchill("125", "126") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, peer: Windchill, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub of the ready-made system; what is dropped is read at once."""
    for name, content in ready_systems()["windchill"].files():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "hub.yaml").write_text("hub: plm\n", "utf-8")
    system = tmp_path / "systems/windchill.yaml"
    system.write_text(system.read_text("utf-8").replace("quiet: 10s", "quiet: 0s"), "utf-8")
    monkeypatch.setenv("WINDCHILL_URL", peer.url)
    monkeypatch.setenv("WINDCHILL_USER", peer.user)
    monkeypatch.setenv("WINDCHILL_PASSWORD", peer.password)
    (tmp_path / "drop/windchill").mkdir(parents=True)
    return tmp_path


def drop(folder: Path, text: str, name: str = "a.xml") -> None:
    (folder / "drop/windchill" / name).write_text(text, "utf-8")


def look(folder: Path) -> None:
    """Look at all receipts once, as a hub does now and then."""
    with small.opened(folder) as opened:
        write_back(opened, everything=True)


def said(peer: Windchill, number: str = "125") -> dict[str, bool]:
    return {name.removeprefix("OR:wt.part.WTPart:"): good for name, (good, _) in peer.results[number].items()}


def test_a_release_that_is_taken_over_succeeds_with_all_its_parts_and_boms(folder: Path, peer: Windchill) -> None:
    drop(folder, release("125", [("P-1", "A"), ("P-2", "A")], [("P-1", "P-2")]))

    small.run(folder)
    look(folder)

    assert peer.transactions == {"125": "Succeeded", "126": "Pending"}
    assert said(peer) == {"P-1": True, "P-2": True, "P-1:bom": True}
    assert len(peer.told) == 1
    (body,) = peer.told
    assert body["PrimaryBuisnessObjectID"] == "OR:wt.change2.WTChangeOrder2:125"
    first = body["ReleaseResult"][0]
    assert (first["TargetID"], first["Action"]["Value"], first["Message"]) == ("nave", "create", "applied")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def stored(folder: Path, request: pytest.FixtureRequest) -> Path:
    """The same hub on each store."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url").replace("postgresql+psycopg://", "postgresql://")
        (folder / "hub.yaml").write_text(f"hub: plm\nstore: {url}\n", "utf-8")
    return folder


def test_a_part_that_is_refused_fails_the_release_with_its_reason_and_once_repaired_it_succeeds(
    stored: Path, peer: Windchill
) -> None:
    folder = stored
    drop(folder, release("125", [("P-1", "A"), ("P-2", "甲")]))
    small.run(folder)
    before, reason = dict(peer.transactions), peer.results["125"]["OR:wt.part.WTPart:P-2"][1]
    (letter,) = small.letters(folder)
    mapping = folder / "mappings/windchill/release.yaml"
    old = 'version: (Version ~ "." ~ (Iteration | default(""))) | revision_rank'
    mapping.write_text(mapping.read_text("utf-8").replace(old, 'version: Iteration | default("0")'), "utf-8")

    with small.opened(folder) as opened, opened.store.write() as tx:
        assert repair.replay(tx, letter, Actor("li.wei", opened.clock, opened.ids))
    small.run(folder)
    look(folder)

    assert before["125"] == "Failed"
    assert reason.startswith("NAVE-K430")
    assert peer.transactions["125"] == "Succeeded"
    assert peer.results["125"]["OR:wt.part.WTPart:P-2"] == (True, "repaired")
    assert len(peer.told) == 2


def test_the_same_bad_part_in_another_release_fails_that_one_as_well(folder: Path, peer: Windchill) -> None:
    for number in ("125", "126"):
        drop(folder, release(number, [("P-2", "甲")]), f"{number}.xml")
        small.run(folder)

    assert peer.transactions == {"125": "Failed", "126": "Failed"}
    assert (said(peer, "125"), said(peer, "126")) == ({"P-2": False}, {"P-2": False})


def test_a_release_is_told_of_once_the_component_that_a_bom_waits_for_has_come(folder: Path, peer: Windchill) -> None:
    drop(folder, release("125", [("P-1", "A")], [("P-1", "P-2")]))
    small.run(folder)
    waiting, asked = dict(peer.transactions), peer.asked
    drop(folder, release("126", [("P-2", "A")]), "b.xml")

    small.run(folder)
    look(folder)

    assert (waiting["125"], asked) == ("Pending", 0)
    assert peer.transactions == {"125": "Succeeded", "126": "Succeeded"}
    assert said(peer) == {"P-1": True, "P-1:bom": True}


@pytest.mark.parametrize(("moods", "calls"), [(["hung up"], 2), (["500", "hung up", "session"], 2)], ids=["once", "thrice"])
def test_what_goes_wrong_on_the_way_is_told_again(folder: Path, peer: Windchill, moods: list[str], calls: int) -> None:
    drop(folder, release("125", [("P-1", "A")]))
    peer.moods = list(moods)

    small.run(folder)
    for _ in moods:
        look(folder)

    assert peer.transactions["125"] == "Succeeded"
    assert len(peer.told) == calls
    assert all(body == peer.told[0] for body in peer.told)


def test_a_failure_inside_a_good_answer_is_no_success_and_not_taken_for_told(folder: Path, peer: Windchill) -> None:
    drop(folder, release("125", [("P-1", "A"), ("P-2", "甲")]))
    peer.moods = ["inside"]

    small.run(folder)

    assert peer.transactions["125"] == "Pending"
    assert _noted(folder)[1] == "!"


def _noted(folder: Path) -> str:
    with small.opened(folder) as opened, opened.store.read() as tx:
        return (receipts.by_name(tx, "a.xml")[0].wrote or {})["callback"]


def test_a_windchill_that_is_away_keeps_no_release_and_hears_of_it_later(
    folder: Path, peer: Windchill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDCHILL_URL", "http://127.0.0.1:9")
    drop(folder, release("125", [("P-1", "A")]))
    small.run(folder)
    monkeypatch.setenv("WINDCHILL_URL", peer.url)

    look(folder)

    assert peer.transactions["125"] == "Succeeded"


def test_a_login_that_is_refused_is_tried_once(folder: Path, peer: Windchill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINDCHILL_PASSWORD", "wrong")
    drop(folder, release("125", [("P-1", "A")]))

    small.run(folder)

    with small.opened(folder) as opened, opened.store.read() as tx:
        assert [one.flow for one in stops.stopped(tx, ["windchill.releases.callback"])] == ["windchill.releases.callback"]
    assert (peer.transactions["125"], peer.told) == ("Pending", [])


PLACES = [
    "before it is intended",
    *(
        pytest.param(place, marks=pytest.mark.long)
        for place in (
            "behind the intention",
            "before it is told",
            "behind the telling",
            "before it is noted",
            "behind the note",
        )
    ),
]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("place", PLACES)
def test_killed_by_the_system_anywhere_around_the_telling_it_is_told(folder: Path, peer: Windchill, place: str) -> None:
    drop(folder, release("125", [("P-1", "A"), ("P-2", "甲")]))

    killed(folder, place)
    before = len(peer.told)
    again(folder)

    assert peer.transactions["125"] == "Failed"
    assert said(peer) == {"P-1": True, "P-2": False}
    assert all(body == peer.told[0] for body in peer.told)
    assert before + 1 >= len(peer.told)

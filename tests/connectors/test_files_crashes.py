"""The files source when it is killed, or when others write to what it reads: nothing is lost and nothing comes twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.connectors.dropping import NOW, Drop, Killed, killing_at, records, rows


def test_a_file_that_is_written_to_while_it_is_read_is_refused_with_what_it_had(drop: Drop) -> None:
    drop.put("a.csv", rows(0, 15))

    def append(step: str) -> None:
        if step == "before the commit" and not drop.batches:
            (claimed,) = (drop.folder / ".nave/claimed/erp.orders").iterdir()
            with claimed.open("a") as file:
                file.write("999999\n")

    drop.run(append)

    assert drop.landed[:10] == records(0, 10)
    assert drop.refused == [("a.csv", "NAVE-S022")]


def test_a_claimed_file_that_changed_since_its_last_commit_is_refused(drop: Drop) -> None:
    drop.put("a.csv", rows(0, 25))
    with pytest.raises(Killed):
        drop.run(killing_at(4))
    (claimed,) = (drop.folder / ".nave/claimed/erp.orders").iterdir()
    claimed.write_text(rows(500, 25))

    drop.run()

    assert drop.refused == [("a.csv", "NAVE-S022")]


@pytest.mark.parametrize("ready", [NOW, {"marker": ".ok"}])
def test_killed_at_any_step_nothing_is_lost_and_only_the_uncommitted_batch_comes_again(
    tmp_path: Path, ready: dict[str, str]
) -> None:
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        drop = Drop(folder, {"ready": ready})
        for name, content in (
            ("a.csv", rows(0, 25)),
            ("bad.csv", "ID\n\x00\n" if number % 2 else ""),
            ("c.csv", rows(25, 5)),
        ):
            drop.put(name, content)
            drop.put(f"{name}.ok", b"") if "marker" in ready else None
        finished = False
        try:
            drop.run(killing_at(number))
            finished = True
        except Killed:
            drop.run()

        assert sorted(one["ID"] for one in drop.landed if one["ID"] != "\x00") == [f"{n:06d}" for n in range(30)], number
        assert [path for path in drop.files() if "claimed" in path] == []
        assert {*drop.archived(), *drop.files("refused")} >= {"a.csv", "bad.csv", "c.csv"}
        assert drop.run().batches[-1].records, "a run behind the end must find nothing"
        if finished:
            break
    assert finished, "the steps never ended"

"""Receipts and rejects are put back where files are dropped, on servers as on this machine: whole, or not at all."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.files import SPEC, shelf
from nave.connectors.files.options import FilesOptions
from nave.core.errors import PermanentError
from nave.core.protocols import Setting, Shelf
from tests.connectors.far import Server, place, reach, share_of
from tests.whole import small
from tests.workers.dropped import HEADER, receipt, states

pytestmark = pytest.mark.service

_SERVERS = ["ssh_server", "ftp_server", "smb_server"]
_SOME = ["ssh_server", *(pytest.param(name, marks=pytest.mark.long) for name in ("ftp_server", "smb_server"))]
"""For what takes long."""


@dataclass(frozen=True)
class Spot:
    """A drop folder, and how a hub in `hub` gets to it."""

    folder: Path
    hub: Path
    server: Server | None = None

    def shelf(self) -> AbstractContextManager[Shelf]:
        setting = Setting("erp.customers", self.hub)
        if self.server is None:
            assert SPEC.shelf is not None
            return SPEC.shelf(FilesOptions(url=str(self.folder)), None, setting)
        there = reach(self.server)
        spec = there.way.spec()
        assert spec.shelf is not None
        return spec.shelf(there.options(self.folder), None, setting)

    def put(self, name: str, content: bytes, inner: str = "out/receipts") -> None:
        with self.shelf() as opened:
            opened.put(inner, name, BytesIO(content))

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["here", *_SERVERS])
def spot(request: pytest.FixtureRequest, tmp_path: Path) -> Spot:
    server: Server | None = None if request.param == "here" else request.getfixturevalue(request.param)
    folder = (tmp_path if server is None else place(server, tmp_path)) / "drop"
    folder.mkdir(parents=True)
    return Spot(folder, tmp_path, server)


def test_a_file_appears_under_its_name_and_a_newer_one_takes_its_place(spot: Spot) -> None:
    for content in (b"first", b"the second, longer", b"3"):
        spot.put("订单.csv.receipt.json", content)

        assert spot.files() == {"out/receipts/订单.csv.receipt.json": content}


def test_what_lies_there_is_known_by_its_content_and_can_be_taken_away(spot: Spot) -> None:
    spot.put("a.csv", b"x" * 100_000, inner="")

    with spot.shelf() as opened:
        assert opened.digest("", "a.csv") == hashlib.sha256(b"x" * 100_000).hexdigest()
        assert opened.digest("", "b.csv") is None
        opened.remove("", "a.csv")
        opened.remove("", "a.csv")

    assert spot.files() == {}


def test_how_a_file_begins_is_told_where_it_has_the_size_and_nothing_is_made_for_it(spot: Spot) -> None:
    (spot.folder / "archive").mkdir()
    (spot.folder / "archive/a.csv").write_bytes(b"ab" * 200_000)

    with spot.shelf() as opened:
        found = [opened.head("archive", "a.csv", 400_000, 5), opened.head("archive", "a.csv", 400_000, 10**6)]
        none = [opened.head(*where, 9) for where in (("archive", "a.csv", 1), ("archive/x", "a.csv", 1), ("", "b", 0))]
        opened.put("", "after.txt", BytesIO(b"still connected"))

    assert found == [b"ababa", b"ab" * 200_000]
    assert none == [None, None, None]
    assert sorted(spot.files()) == ["after.txt", "archive/a.csv"]


def test_what_is_too_large_for_memory_is_refused_on_a_server(spot: Spot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "LARGEST", 10)
    spot.put("a.json", b"x" * 10)
    if spot.server is None:
        spot.put("a.json", b"x" * 11)
        return

    with pytest.raises(PermanentError) as caught:
        spot.put("a.json", b"x" * 11)

    assert caught.value.code == "NAVE-K315"
    assert spot.files() == {"out/receipts/a.json": b"x" * 10}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("server", _SOME, indirect=True)
def test_killed_at_any_call_no_half_file_is_seen_and_the_next_look_makes_up_for_it(server: Server, tmp_path: Path) -> None:
    spot = Spot(place(server, tmp_path) / "drop", tmp_path, server)
    spot.folder.mkdir(parents=True)
    spot.put("a.json", b"old" * 1000)
    kind = share_of(reach(server).way)
    kills = 0
    while _killed(spot, kind, kills):
        seen = spot.files().get("out/receipts/a.json", b"old" * 1000)
        assert seen in (b"old" * 1000, b"new" * 2000), kills
        spot.put("a.json", b"new" * 2000)
        assert spot.files() == {"out/receipts/a.json": b"new" * 2000}, kills
        spot.put("a.json", b"old" * 1000)
        kills += 1

    assert kills >= 2
    assert spot.files() == {"out/receipts/a.json": b"new" * 2000}


def _killed(spot: Spot, kind: type[Any], number: int) -> bool:
    """Put the newer file, but end before the call of this number that changes something on the server, if there is one."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _killing(monkeypatch, kind, number)
        try:
            spot.put("a.json", b"new" * 2000)
        except Killed:
            return True
    return False


def _killing(monkeypatch: pytest.MonkeyPatch, kind: type[Any], number: int) -> None:
    left = iter(range(number))

    def before(name: str) -> None:
        whole = getattr(kind, name)

        def called(*arguments: Any) -> Any:
            if next(left, None) is None:
                raise Killed(name)
            return whole(*arguments)

        monkeypatch.setattr(kind, name, called)

    for name in ("put", "rename", "remove"):
        before(name)


def far_hub(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub whose customers are dropped on a server; where they are dropped."""
    dropped = place(server, folder) / "far"
    dropped.mkdir(parents=True)
    there = reach(server)
    small.write(folder, pattern="*.csv", form="{type: csv}")
    options = {**there.good, "type": there.way.name, "url": there.options(dropped).url}
    if "password" in options:
        monkeypatch.setenv("FAR_PASSWORD", options["password"])
        options["password"] = "${env:FAR_PASSWORD}"
    system = folder / "systems/erp.yaml"
    text = system.read_text("utf-8").replace("{type: files, url: ./drop}", json.dumps(options))
    text += "    receipt: {file: receipts}\n    rejects: {}\n"
    system.write_text(text, "utf-8")
    return dropped


@pytest.mark.parametrize("server", _SOME, indirect=True)
def test_refused_lines_come_back_on_the_server_and_join_the_original_once_mended(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = far_hub(server, tmp_path, monkeypatch)
    (dropped / "a.csv").write_bytes((HEADER + "C1,上海,SH\r\nC2,北京,XX\r\n").encode("gb18030"))

    small.run(tmp_path)

    told = json.loads((dropped / "receipts/a.csv.receipt.json").read_text("utf-8"))
    assert [(one["line"], one["state"]) for one in told["lines"]] == [(2, "applied"), (3, "refused")]
    (back,) = (dropped / "rejects").iterdir()
    text = back.read_bytes().decode("gb18030")
    assert [row["NAME"] for row in csv.DictReader(io.StringIO(text, newline=""))] == ["北京"]

    back.unlink()
    (dropped / "mended.csv").write_bytes(text.replace(",XX,", ",BJ,").encode("gb18030"))
    small.run(tmp_path)

    assert states(receipt(tmp_path, "a.csv")) == {2: "applied", 3: "repaired"}
    told = json.loads((dropped / "receipts/a.csv.receipt.json").read_text("utf-8"))
    assert [one["state"] for one in told["lines"]] == ["applied", "repaired"]
    assert list((dropped / "rejects").iterdir()) == []
    assert small.delivered(tmp_path) == {"C1": "上海", "C2": "北京"}
    assert [path for path in (dropped / ".nave").rglob("*") if path.is_file()] == []

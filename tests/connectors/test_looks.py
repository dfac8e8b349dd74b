"""`nave connector sample` on real file servers: the first records are shown, and over there everything stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nave.connectors.files.options import FilesSourceOptions
from nave.core.errors import PermanentError
from nave.core.protocols import Batch, Setting
from tests.connectors.dropping import CSV, aged, records, rows
from tests.connectors.far import FarDrop, Server, far_drop

pytestmark = pytest.mark.service
_SERVERS = ["ftp_server", "smb_server", pytest.param("ssh_server", marks=pytest.mark.long)]


def look_at(far: FarDrop, folder: Path, **more: Any) -> list[Batch]:
    look = far.way.spec().look
    assert look is not None
    source = FilesSourceOptions.model_validate({"pattern": "*.csv", "format": CSV, **more})
    with look(far.connection, source, Setting("erp.orders", folder)) as looking:
        return list(looking.read(None))


@pytest.mark.parametrize("server", _SERVERS, indirect=True)
def test_files_on_a_server_are_shown_oldest_first_and_stay_where_they_are(server: Server, tmp_path: Path) -> None:
    far = far_drop(server, tmp_path)
    aged(far.put("b.csv", rows(0, 3)), 600)
    far.put("a.csv", rows(3, 2))
    far.put("other.txt", "no")
    before = {path.name: path.stat().st_mtime_ns for path in far.folder.iterdir()}

    shown = look_at(far, tmp_path)

    assert [record for one in shown for record in one.records] == records(0, 5)
    assert [one.origin["file"] for one in shown] == ["b.csv", "a.csv"]
    assert {path.name: path.stat().st_mtime_ns for path in far.folder.iterdir()} == before
    assert not (tmp_path / ".nave").exists()
    far.options = {"pattern": "*.csv"}
    assert far.run().landed == records(0, 5)


@pytest.mark.parametrize("server", ["ftp_server"], indirect=True)
def test_a_file_that_is_too_large_is_not_fetched(server: Server, tmp_path: Path) -> None:
    far = far_drop(server, tmp_path, largest="10B")
    far.put("a.csv", rows(0, 50))

    with pytest.raises(PermanentError) as caught:
        look_at(far, tmp_path)

    assert caught.value.code == "NAVE-K290"

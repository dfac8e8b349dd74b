"""A small hub with files, for the tests of receipts, rejects and what is expected: customers in, one target in memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nave.core import receipts
from nave.workers.receipts import page
from tests.whole import small

HEADER = "CODE,NAME,AREA\r\n"


def hub(folder: Path, more: str = "", *, pattern: str = "*.csv", form: str = "{type: csv}") -> Path:
    """A hub whose source has these keys besides the usual ones."""
    small.write(folder, pattern=pattern, form=form)
    system = folder / "systems/erp.yaml"
    system.write_text(system.read_text("utf-8") + more, "utf-8")
    return folder


def drop(folder: Path, name: str, content: str | bytes) -> None:
    """Put a file into the source's folder."""
    data = content.encode() if isinstance(content, str) else content
    (folder / "drop" / name).write_bytes(data)


def receipt(folder: Path, name: str, nth: int = 0) -> Mapping[str, Any]:
    """The receipt of the file of this name, the latest one first."""
    with small.opened(folder) as opened:
        with opened.store.read() as tx:
            taken = receipts.by_name(tx, name)[nth]
        return page(opened.store, opened.sources[taken.source], taken)


def states(told: Mapping[str, Any]) -> dict[int, str]:
    """By line, what it came to."""
    return {one["line"]: one["state"] for one in told["lines"]}

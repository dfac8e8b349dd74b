"""Files of any length are read in the same memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import sys
from pathlib import Path
from nave.core.protocols import Refused
from nave.formats import read, CsvFormat, JsonFormat, JsonLinesFormat, XmlFormat, FixedFormat, FixedColumn

class Endless:
    def __init__(self, head, record, tail, size):
        self.pieces = self.run(head, record * (65536 // len(record)), tail, size)
        self.rest = b""
    def run(self, head, block, tail, size):
        yield head
        for _ in range(size // len(block)):
            yield block
        yield tail
    def read(self, size):
        while not self.rest:
            piece = next(self.pieces, None)
            if piece is None:
                return b""
            self.rest = piece
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

fields = "".join(f"<FIELD_{n:02}>value {n}</FIELD_{n:02}>" for n in range(20))
row = ",".join(f"value {n}" for n in range(20))
obj = "{" + ",".join(f'"FIELD_{n:02}":"value {n}"' for n in range(20)) + "}"
kinds = {
    "xml": (XmlFormat(record="Order"), "<r>", f"<Order>{fields}</Order>\\n", "</r>"),
    "xml-slow": (XmlFormat(record="Order"), "<r>", f"<Order id='1'>{fields}</Order>\\n", "</r>"),
    "xml-other": (XmlFormat(record="None"), "<r>", f"<Order>{fields}</Order>text\\n", "</r>"),
    "csv": (CsvFormat(), ",".join(f"F{n}" for n in range(20)) + "\\n", row + "\\n", ""),
    "jsonl": (JsonLinesFormat(), "", obj + "\\n", ""),
    "json": (JsonFormat(record="items"), '{"items":[{}', "," + obj, "]}"),
    "fixed": (FixedFormat(columns=[FixedColumn(name="a", start=1, width=9)]), "", row + "\\n", ""),
}
options, head, record, tail = kinds[sys.argv[1]]
def resident():
    # What `getrusage` says includes the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))
def peak(size):
    count = 0
    for item in read(Endless(head.encode(), record.encode(), tail.encode(), size), options):
        assert not isinstance(item.value, Refused), item
        count += 1
    return count, resident()
few, before = peak(1_000_000)
many, after = peak(int(sys.argv[2]))
print(few, before, many, after)
"""


def _peaks(kind: str, size: int) -> tuple[int, int, int, int]:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, kind, str(size)], capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
    few, before, many, after = map(int, done.stdout.split())
    return few, before, many, after


@pytest.mark.parametrize("kind", ["xml-slow", "xml-other", "csv", "jsonl", "json", "fixed"])
def test_ten_times_the_records_take_no_more_memory(kind: str) -> None:
    _, before, _, after = _peaks(kind, 10_000_000)

    assert after - before < 8


@pytest.mark.slow
def test_a_document_of_200_megabytes_is_read_in_constant_memory() -> None:
    few, before, many, after = _peaks("xml", 200_000_000)

    assert many > 180 * few
    assert after - before < 8
    assert after < 100

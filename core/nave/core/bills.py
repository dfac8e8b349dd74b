"""Finds the bill of materials that somebody means: by its own code, or by its product with a kind and a revision."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from nave.core.errors import PermanentError
from nave.core.store import Transaction
from nave.core.store import schema as t
from nave.core.structure import Choice, Part, Product, chosen, named, no_bom, read_bom, read_level

_ORDER = ("production", "design", "order")
"""Which kind is meant where none is said: the first that there is."""


@dataclass(frozen=True)
class Asked:
    """What somebody asks for; `kind` and `revision` count where `what` does not say them itself."""

    what: str
    systems: Sequence[str]
    on: date
    kind: str | None = None
    revision: str | None = None


def bill(tx: Transaction, asked: Asked) -> tuple[Part, Choice]:
    """The bill that is meant, and how bills below it are chosen.

    `what` is the code of a bill, the key of a product, or `PRODUCT:KIND@REVISION` of which both ends may be missing;
    `bom/` and `product/` before it leave no doubt. A PermanentError where there is none.
    """
    known: Product | None = None
    for key, kind, revision in _readings(asked):
        if not asked.what.startswith("product/") and (found := _by_code(tx, key, asked)):
            return found
        if asked.what.startswith("bom/"):
            continue
        known = product(tx, key, asked.systems)
        if known is not None:
            return _of_product(tx, known, kind, revision, asked.on)
    key = asked.what.partition("/")[2] if asked.what.startswith(("bom/", "product/")) else asked.what
    raise PermanentError("NAVE-E204", entity="bom" if asked.what.startswith("bom/") else "product", key=key[:80], near="-")


def _readings(asked: Asked) -> Iterator[tuple[str, str | None, str | None]]:
    """What the text may mean, the plainest first: keys may hold `@`, `:` and `/` themselves."""
    text = asked.what
    text = text.partition("/")[2] if text.startswith(("bom/", "product/")) else text
    yield from _parted(text, asked)
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain != text:
        yield from _parted(plain, asked)


def _parted(text: str, asked: Asked) -> Iterator[tuple[str, str | None, str | None]]:
    yield text, asked.kind, asked.revision
    before, at, revision = text.rpartition("@")
    whole = before if at else text
    own = revision if at else asked.revision
    if at:
        yield whole, asked.kind, own
    key, colon, kind = whole.rpartition(":")
    if colon:
        yield key, kind, own


def numbers(tx: Transaction, entity: str, key: str, systems: Iterable[str]) -> list[int]:
    """The golden records that one of the systems knows by this key."""
    s = t.source_record.c
    mine = (s.entity == entity, tx.among(s.system, sorted(set(systems))), s.key == key)
    return [row[0] for row in tx.rows(sa.select(s.record_id).where(*mine).distinct().order_by(s.record_id))]


def product(tx: Transaction, key: str, systems: Sequence[str]) -> Product | None:
    """A product by its key; of several that systems call the same, the first."""
    s, r = t.source_record.c, t.record.c
    mine = (s.entity == "product", tx.among(s.system, sorted(set(systems))), s.key == key)
    found = sa.select(s.record_id, s.system, r.doc).join_from(t.source_record, t.record, r.id == s.record_id).where(*mine)
    rows = tx.rows(found.order_by(s.record_id, s.system).limit(1))
    return named(rows[0][0], rows[0][1], key, rows[0][2]) if rows else None


def _by_code(tx: Transaction, key: str, asked: Asked) -> tuple[Part, Choice] | None:
    found = numbers(tx, "bom", key, asked.systems)
    if not found:
        return None
    r = t.record.c
    bom = read_bom(tx.rows(sa.select(r.doc).where(r.id == found[0]))[0][0])
    of = (bom.product.system, bom.product.key)
    known = read_level(tx, [of]).products.get(of) or named(None, *of, None)
    return Part(known, found[0], bom), Choice(bom.kind, asked.on)


def _of_product(tx: Transaction, known: Product, kind: str | None, revision: str | None, on: date) -> tuple[Part, Choice]:
    boms = read_level(tx, [(known.system, known.key)]).boms.get(known.id or 0, ())
    for one in (kind,) if kind else _ORDER:
        choice = Choice(one, on, revision)
        found = chosen(boms, choice)
        if found and (revision is None or found[1].revision == revision):
            return Part(known, *found), Choice(one, on)
    have = (f"{bom.kind} {bom.code}" + (f"@{bom.revision}" if bom.revision else "") for _, bom in boms)
    raise no_bom(f"{known.code}{f':{kind}' if kind else ''}{f'@{revision}' if revision else ''}", have)

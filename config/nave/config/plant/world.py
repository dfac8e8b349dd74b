"""The clean world of the example plant: companies, goods, people and papers before any system wrote them down.

Everything follows from a size and a seed. Which record has which fault is decided by its index, not by chance, so that
every fault is there from the smallest size on and their number grows in step with the size.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from nave.config.plant import words
from nave.config.plant.credit_code import credit_code

BASE = datetime(2026, 11, 1, 8, 0, 0)  # noqa: DTZ001 - what the systems write is local time without a zone
"""The plant's clock: nothing is read from the machine's."""
SMALLEST = 50
LARGEST = 900_000
SECONDS = {"erp": 11, "nc": 23, "crm": 37, "pdm": 47, "hr": 53}
"""Each system writes its own second, so no two systems ever change the same thing at the same moment."""


@dataclass(frozen=True, slots=True)
class Known:
    """That a system knows a company: by which key, with what kind of tax number (good, missing, wrong), changed when."""

    key: str
    tax: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Company:
    """Somebody who buys."""

    index: int
    core: str
    trade: str
    branch: str
    latin: str
    place: words.Place
    tax_id: str | None
    status: str
    grade: str
    salesperson: str
    known: dict[str, Known]

    @property
    def person(self) -> bool:
        return self.tax_id is None

    def name(self, form: str) -> str:
        """The name with one of the suffixes that people write."""
        return self.core if self.person else f"{self.place.name}{self.latin}{self.core}{self.trade}{form}{self.branch}"

    def links(self, system: str) -> bool:
        """Whether this system's record can be told to be this company: it has the right tax number."""
        known = self.known.get(system)
        return known is not None and known.tax == "good"


@dataclass(frozen=True, slots=True)
class Product:
    """Something made or bought; `components` are indexes of others with how many of each."""

    index: int
    code: str
    name: str
    kind: str
    drawing_no: str
    revision: str
    specification: str
    unit: str
    material: str
    price: Decimal
    erp_at: datetime | None
    pdm_at: datetime | None
    pdm_key: str
    components: tuple[tuple[int, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Employee:
    """Somebody who works here."""

    index: int
    code: str
    name: str
    department: str
    position: str
    status: str
    hired: date
    phone: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order."""

    number: int
    product: Product
    quantity: int
    price: Decimal
    amount: Decimal
    due: date


@dataclass(frozen=True, slots=True)
class Order:
    """What a company ordered, and whether the ERP keeps it in its database or hands it out as a file."""

    index: int
    number: str
    company: Company
    date: date
    status: str
    salesperson: str
    lines: tuple[Line, ...]
    at: datetime
    in_file: bool

    @property
    def total(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class World:
    """All of it."""

    size: int
    seed: int
    companies: tuple[Company, ...]
    products: tuple[Product, ...]
    employees: tuple[Employee, ...]
    orders: tuple[Order, ...]


def chance(seed: int, subject: str) -> random.Random:
    """A stream of chance of its own per subject, so that one part of the plant can change without moving the others."""
    return random.Random(f"{seed}/{subject}")  # noqa: S311 - made-up data, not secrets


def build(size: int, seed: int) -> World:
    """The world for `size` customers; ValueError when the size is outside 50..900,000."""
    if not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size must lie between {SMALLEST} and {LARGEST}, not {size}")
    employees = _employees(size, seed)
    companies = _companies(size, seed, employees)
    products = _products(size, seed)
    return World(size, seed, companies, products, employees, _orders(size, seed, companies, products))


def moment(chance: random.Random, system: str) -> datetime:
    """Some time in the two weeks after BASE, on the second that belongs to the system."""
    return BASE + timedelta(minutes=chance.randrange(1, 20_000), seconds=SECONDS[system])


def person_name(chance: random.Random) -> str:
    """A family name and a given name; some have characters that GB2312, or even GBK, lacks."""
    return chance.choice(words.SURNAMES) + chance.choice(words.GIVEN)


def mobile(number: int) -> str:
    """A mobile number of 11 digits, different for every number below 10**8."""
    return f"138{(number * 7_919 + 12_345_678) % 10**8:08d}"


def _employees(size: int, seed: int) -> tuple[Employee, ...]:
    luck = chance(seed, "employees")
    return tuple(
        Employee(
            index=index,
            code=f"{index + 101:06d}",
            name=person_name(luck),
            department=words.DEPARTMENTS[index % len(words.DEPARTMENTS)],
            position=luck.choice(words.POSITIONS),
            status="left" if index % 17 == 16 else "active",
            hired=date(2010, 1, 4) + timedelta(days=luck.randrange(5_800)),
            phone=mobile(index),
            at=moment(luck, "hr"),
        )
        for index in range(max(12, size // 4))
    )


def sellers(employees: tuple[Employee, ...]) -> tuple[Employee, ...]:
    """Those of the sales department who are still there."""
    return tuple(one for one in employees if one.department == "销售部" and one.status == "active")


def _companies(size: int, seed: int, employees: tuple[Employee, ...]) -> tuple[Company, ...]:
    luck = chance(seed, "companies")
    numbers = {system: luck.sample(range(1, size + 1), size) for system in ("nc", "crm")}
    staff = sellers(employees)
    return tuple(_company(index, luck, numbers, staff) for index in range(size))


def _company(index: int, luck: random.Random, numbers: dict[str, list[int]], staff: tuple[Employee, ...]) -> Company:
    place = words.PLACES[luck.randrange(len(words.PLACES))]
    person = index % 25 == 23
    keys = {
        "erp": f"{index + 1:06d}",
        "nc": f"KH{numbers['nc'][index]:06d}",
        "crm": f"CUS-{numbers['crm'][index]:05d}",
    }
    return Company(
        index=index,
        core=person_name(luck) if person else luck.choice(words.CORES),
        trade=luck.choice(words.TRADES),
        branch=luck.choice(words.BRANCHES),
        latin=luck.choice(words.LATIN),
        place=place,
        tax_id=None if person else credit_code(place.region, index),
        status="blocked" if index % 13 == 12 else "active",
        grade=luck.choice(words.GRADES),
        salesperson=luck.choice(staff).code,
        known={s: Known(keys[s], _tax(s, index), moment(luck, s)) for s in keys if _knows(s, index)},
    )


def _knows(system: str, index: int) -> bool:
    if index % 25 == 23:
        return system == "crm"
    if system == "erp":
        return index % 10 != 3
    return index % 5 != 1 if system == "nc" else index % 4 != 2 or not _knows("erp", index)


_TAX_FAULTS = {
    ("erp", 7): "wrong",
    ("erp", 11): "missing",
    ("nc", 14): "missing",
    ("crm", 17): "wrong",
    ("crm", 19): "missing",
}


def _tax(system: str, index: int) -> str:
    return "missing" if index % 25 == 23 else _TAX_FAULTS.get((system, index % 25), "good")


def _products(size: int, seed: int) -> tuple[Product, ...]:
    luck = chance(seed, "products")
    return tuple(_product(index, size, luck) for index in range(size))


def product_level(index: int) -> str:
    """Two in ten are finished goods, three assemblies, five parts."""
    return "finished" if index % 10 < 2 else "assembly" if index % 10 < 5 else "part"


def in_erp(index: int) -> bool:
    """All but a few goods that so far only the designers know."""
    return index % 9 != 4 or index < 10


def in_pdm(index: int) -> bool:
    """All but some bought parts."""
    return index % 8 != 5


_NAMES = {"finished": words.FINISHED, "assembly": words.ASSEMBLIES, "part": words.PARTS}


def _product(index: int, size: int, luck: random.Random) -> Product:
    level = product_level(index)
    code = f"{10_000 + index:07d}" if index % 3 == 0 else f"ZB-{index:06d}"
    own_key = index % 12 == 7 and in_erp(index)
    return Product(
        index=index,
        code=code,
        name=luck.choice(_NAMES[level]),
        kind="buy" if index % 10 in (5, 8) else "outsource" if index % 10 == 9 else "make",
        drawing_no=f"TH{index:06d}",
        revision="ABC"[0 if own_key else luck.randrange(3)],
        specification=f"{luck.randrange(10, 500)}x{luck.randrange(10, 200)}",
        unit="台" if level == "finished" else "套" if level == "assembly" else "件",
        material=luck.choice(words.MATERIALS),
        price=Decimal(luck.randrange(500, 9_000_000)).scaleb(-2),
        erp_at=moment(luck, "erp") if in_erp(index) else None,
        pdm_at=moment(luck, "pdm") if in_pdm(index) else None,
        pdm_key=f"T-{index:06d}" if own_key else code,
        components=_components(index, level, size, luck),
    )


_DIGITS_BELOW = {"finished": (2, 3, 4, 6, 7), "assembly": (5, 6, 7, 8, 9)}
_QUANTITIES = tuple(Decimal(text) for text in ("1", "1", "2", "2", "4", "8", "0.5", "1.25"))


def _components(index: int, level: str, size: int, luck: random.Random) -> tuple[tuple[int, Decimal], ...]:
    if level == "part":
        return ()
    found: dict[int, Decimal] = {}
    for _ in range(luck.randrange(2, 6)):
        other = luck.randrange(size // 10) * 10 + luck.choice(_DIGITS_BELOW[level])
        if in_erp(other) and in_pdm(other):
            found.setdefault(other, luck.choice(_QUANTITIES))
    return tuple(found.items())


def _orders(size: int, seed: int, companies: tuple[Company, ...], products: tuple[Product, ...]) -> tuple[Order, ...]:
    luck = chance(seed, "orders")
    buyers = [one for one in companies if one.links("erp") and one.links("crm")]
    stranger = next(one for one in companies if one.links("erp") and "crm" not in one.known)
    goods = [one for one in products if one.erp_at is not None and product_level(one.index) != "part"]
    orders = [_order(index, luck.choice(buyers), goods, luck) for index in range(2 * size - 1)]
    return (*orders, _order(2 * size - 1, stranger, goods, luck))


def _order(index: int, company: Company, goods: list[Product], luck: random.Random) -> Order:
    day = date(2026, 9, 1) + timedelta(days=luck.randrange(60))
    in_file = index % 10 in (2, 5, 7)
    return Order(
        index=index,
        number=f"{'XS' if in_file else 'SO'}2026{index + 1:07d}",
        company=company,
        date=day,
        status=luck.choice(("open", "released", "released", "shipped", "closed")),
        salesperson=company.salesperson,
        lines=tuple(_line(10 * (n + 1), luck.choice(goods), day, luck) for n in range(luck.randrange(1, 4))),
        at=moment(luck, "erp"),
        in_file=in_file,
    )


def _line(number: int, product: Product, day: date, luck: random.Random) -> Line:
    quantity = luck.randrange(1, 12)
    return Line(
        number=number,
        product=product,
        quantity=quantity,
        price=product.price,
        amount=product.price * quantity,
        due=day + timedelta(days=luck.randrange(15, 90)),
    )

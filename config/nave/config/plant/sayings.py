"""What the systems of the plant say of companies and goods, in canonical values, before the dirt of writing it down."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from decimal import Decimal
from typing import Any

from nave.config.plant import words
from nave.config.plant.dirt import full_width
from nave.config.plant.truth import Said, TruthWriter
from nave.config.plant.world import Company, Employee, Product, World, mobile

_FORM_SHIFT = {"erp": 0, "nc": 1, "crm": 2}


def money(amount: Decimal) -> dict[str, str]:
    """An amount in yuan as the truth writes it."""
    return {"amount": f"{amount:.2f}", "currency": "CNY"}


def pieces(value: Decimal | int, unit: str) -> dict[str, str]:
    """A quantity as the truth writes it."""
    return {"value": str(value), "unit": unit}


def ref(system: str, key: str) -> dict[str, str]:
    """A reference by the key that a system uses."""
    return {"system": system, "key": key}


def instant(at: datetime) -> str:
    """A moment of the plant's own time zone."""
    return at.isoformat() + "+08:00"


def company_name(company: Company, system: str) -> str:
    """The name as this system keeps it: its own choice of suffix, Latin letters sometimes in full width."""
    name = company.name(words.FORMS[(company.index + _FORM_SHIFT[system]) % len(words.FORMS)])
    if company.latin and system != "nc" and company.index % 2:
        return name.replace(company.latin, full_width(company.latin))
    return name


def people(company: Company, system: str) -> list[dict[str, str]]:
    """Whom this system would call: the first is the same everywhere, the ERP and the CRM each know one more."""
    seats = {"erp": (0, 1), "crm": (0, 2)}[system]
    return [_person(company, seat) for seat in seats[: 1 + company.index % 2]]


def _person(company: Company, seat: int) -> dict[str, str]:
    number = company.index * 3 + seat
    name = words.SURNAMES[number % len(words.SURNAMES)] + words.GIVEN[number % 7]
    return {"name": name, "phone": mobile(number + 1_000_000), "role": words.ROLES[number % len(words.ROLES)]}


def landline(company: Company, system: str) -> str:
    """The switchboard; every system has heard of another extension."""
    extension = {"erp": 1, "nc": 2, "crm": 3}[system]
    return f"{company.place.area}-{(60_000_000 + company.index * 7 + extension) % 10**8:08d}"


def crm_region(company: Company) -> str:
    """The CRM sometimes has another office's region."""
    return words.PLACES[company.index % len(words.PLACES)].region if company.index % 6 == 0 else company.place.region


def credit(company: Company, system: str) -> Decimal | None:
    """The limit: finance sets it, the ERP keeps an old copy of it, and only where finance really has one."""
    if system == "erp":
        return Decimal(company.index % 9 * 1_000) if company.links("nc") and company.links("erp") else None
    return Decimal(company.index % 40 * 5_000 + 10_000)


def _erp(company: Company) -> dict[str, Any]:
    limit = credit(company, "erp")
    return {
        "short_name": company.core,
        "kind": "company",
        "plant_grade": company.grade,
        "region": company.place.region,
        "credit": None if limit is None else money(limit),
        "payment_terms": words.PAY_TERMS[company.index % 4],
        "salesperson": ref("hr", company.salesperson),
        "contacts": people(company, "erp"),
    }


def _nc(company: Company) -> dict[str, Any]:
    limit = credit(company, "nc")
    assert limit is not None
    return {
        "kind": "company",
        "credit": money(limit),
        "payment_terms": words.PAY_TERMS[(company.index + 1) % 4],
    }


def _crm(company: Company) -> dict[str, Any]:
    return {
        "short_name": company.core + company.trade,
        "kind": "person" if company.person else "company",
        "grade": words.GRADES[(company.index + 1) % 3],
        "region": crm_region(company),
        "email": f"sales{company.index}@example.com",
        "contacts": people(company, "crm"),
        "addresses": [{"kind": "office", "line": f"{company.place.name}人民路{company.index + 1}号", "postcode": "200000"}],
    }


_SAID = {"erp": _erp, "nc": _nc, "crm": _crm}


def say_company(company: Company, system: str, truth: TruthWriter) -> None:
    """Tell the truth what this system says of the company, and which golden customer that belongs to."""
    known = company.known[system]
    values = {
        "code": known.key,
        "name": company_name(company, system),
        "tax_id": company.tax_id if known.tax == "good" else None,
        "status": company.status,
        "phone": landline(company, system),
    } | _SAID[system](company)
    truth.same("customer", company.index, (system, known.key))
    truth.member("customer", company_cluster(company, system), Said(system, known.key, known.at, values))


def company_cluster(company: Company, system: str) -> object:
    """The same for all records that have the company's right tax number; any other record stands alone."""
    return company.index if company.links(system) else (company.index, system)


def say_product_erp(product: Product, truth: TruthWriter) -> None:
    """What the ERP says of a product it has."""
    assert product.erp_at is not None
    values = {
        "code": product.code,
        "name": product.name,
        "specification": product.specification,
        "drawing_no": product.drawing_no,
        "revision": product.revision if product.pdm_key != product.code else "A",
        "kind": product.kind,
        "unit": product.unit,
        "price": money(product.price),
        "status": "active",
    }
    truth.member("product", product.index, Said("erp", product.code, product.erp_at, values))


def weight(product: Product) -> Decimal:
    """Kilograms, by chance of the index."""
    return Decimal(product.index % 900 + 1) / 8


def say_product_pdm(product: Product, truth: TruthWriter) -> None:
    """What the PDM says of a product it has."""
    assert product.pdm_at is not None
    values = {
        "code": product.pdm_key,
        "name": f"{product.name}（{product.material}）",
        "specification": f"{product.specification} GB/T",
        "drawing_no": product.drawing_no,
        "revision": product.revision,
        "material": product.material,
        "weight": pieces(weight(product), "kg"),
    }
    truth.member("product", product.index, Said("pdm", product.pdm_key, product.pdm_at, values))


def say_employee(employee: Employee, truth: TruthWriter) -> None:
    """What HR says of somebody."""
    values = {
        "code": employee.code,
        "name": employee.name,
        "department": employee.department,
        "position": employee.position,
        "status": employee.status,
        "phone": employee.phone,
        "hired": employee.hired.isoformat(),
    }
    truth.alone("employee", "hr", employee.code, values)


def _count_names(company: Company, truth: TruthWriter) -> None:
    linked = [system for system in company.known if company.links(system)]
    names = {company_name(company, system) for system in company.known}
    truth.dirtied("company-name variants", len(names) - 1)
    truth.dirtied("one company, three codes", len(linked) == 3)
    truth.dirtied("full width", sum(name != unicodedata.normalize("NFKC", name) for name in names))


def say_all(world: World, truth: TruthWriter) -> None:
    """Tell the truth of everybody and everything that has a record of its own in more than one system, and of employees."""
    for company in world.companies:
        _count_names(company, truth)
        for system, known in company.known.items():
            if system != "erp" or known.tax != "wrong":
                say_company(company, system, truth)
    for product in world.products:
        if product.erp_at is not None:
            say_product_erp(product, truth)
        if product.pdm_at is not None:
            say_product_pdm(product, truth)
    for employee in world.employees:
        say_employee(employee, truth)

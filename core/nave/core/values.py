"""What the values of canonical records are: texts, codes, exact numbers, moments, money, and references to other records."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, StringConstraints

Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
"""Any text that says something."""
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""A business code: text even when it is all digits, so that leading zeros stay."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""ISO 4217."""
Month = Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
"""A calendar month, `2026-11`."""


_MOST_DIGITS = 38


def _plain(number: Decimal) -> Decimal:
    """One spelling per value of a large number: `1E+3` is `1000`, so that equal records have equal bytes.

    The bound on digits is here because the model's own costs four times as much.
    """
    _, digits, exponent = number.as_tuple()
    if len(digits) > _MOST_DIGITS or not isinstance(exponent, int) or not -_MOST_DIGITS <= exponent <= _MOST_DIGITS:
        raise ValueError(f"a number has at most {_MOST_DIGITS} digits")
    if not number:
        number = number.copy_abs()
    return Decimal(int(number)) if exponent > 0 else number


def _utc(moment: datetime) -> datetime:
    """One spelling per instant, whatever zone it was told in."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a moment lies within the years 1 to 9999 of UTC") from error


Number = Annotated[Decimal, AfterValidator(_plain)]
"""An exact number; its trailing zeros are kept, because they say how exact it is."""
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment, kept in UTC."""


class Part(BaseModel):
    """Something inside a record; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Money(Part):
    """An amount and its currency; negative for red documents and refunds."""

    amount: Number
    currency: Currency


class Quantity(Part):
    """How many of which unit, in the plant's own unit code or UN/CEFACT's."""

    value: Number
    unit: Code


class Ref(Part):
    """Another record, by the key that some system knows it by; it may arrive later."""

    system: Code
    key: Code


class RefTo:
    """Marks a `Ref` field with the entity it points to."""

    def __init__(self, entity: str) -> None:
        self.entity = entity


CustomerRef = Annotated[Ref, RefTo("customer")]
ProductRef = Annotated[Ref, RefTo("product")]
OrderRef = Annotated[Ref, RefTo("order")]
InvoiceRef = Annotated[Ref, RefTo("invoice")]
ShipmentRef = Annotated[Ref, RefTo("shipment")]
EmployeeRef = Annotated[Ref, RefTo("employee")]
ContactRef = Annotated[Ref, RefTo("contact")]
OpportunityRef = Annotated[Ref, RefTo("opportunity")]
RegionRef = Annotated[Ref, RefTo("region")]

"""The canonical entities that ship with Nave, as documented pydantic models.

Every field but those that make a record what it is may be absent: a system says what it knows, and the merge of what
all systems say is the golden record. A hub adds fields, or a whole entity, in YAML (`nave.core.entities.extend`).
"""

from __future__ import annotations

from datetime import date

from pydantic import Field

from nave.core.values import (
    Code,
    ContactRef,
    CustomerRef,
    EmployeeRef,
    Instant,
    InvoiceRef,
    Money,
    Month,
    Number,
    OpportunityRef,
    OrderRef,
    Part,
    ProductRef,
    Quantity,
    RegionRef,
    ShipmentRef,
    Text,
)


class Address(Part):
    """A postal address; `region` is a GB/T 2260 code where it is in China."""

    kind: Code | None = None
    country: Code | None = None
    region: Code | None = None
    line: Text | None = None
    postcode: Code | None = None


class ContactPerson(Part):
    """Somebody to call at a customer, as the customer's own record lists them."""

    name: Text
    phone: Code | None = None
    email: Code | None = None
    role: Text | None = None


class Entity(Part):
    """A canonical record."""


class Customer(Entity):
    """A company or person that buys."""

    code: Code | None = Field(default=None, description="The code the company knows it by")
    name: Text = Field(description="Full legal name, as written by the system that is trusted for it")
    short_name: Text | None = None
    tax_id: Code | None = Field(default=None, description="Unified social credit code (GB 32100) or foreign tax number")
    status: Code | None = Field(default=None, description="active, inactive or blocked")
    kind: Code | None = Field(default=None, description="company or person")
    grade: Code | None = None
    region: Code | None = Field(default=None, description="GB/T 2260 code")
    phone: Code | None = None
    email: Code | None = None
    credit: Money | None = Field(default=None, description="Credit limit")
    payment_terms: Text | None = None
    salesperson: EmployeeRef | None = None
    contacts: list[ContactPerson] | None = None
    addresses: list[Address] | None = None
    remark: Text | None = None


class Contact(Entity):
    """A person at a customer, where a system keeps people as records of their own."""

    code: Code | None = None
    name: Text
    customer: CustomerRef | None = None
    phone: Code | None = None
    email: Code | None = None
    role: Text | None = None
    status: Code | None = None


class Product(Entity):
    """Anything made, bought or sold: finished goods, assemblies, parts, materials."""

    code: Code
    name: Text
    specification: Text | None = None
    drawing_no: Code | None = None
    revision: Code | None = None
    kind: Code | None = Field(default=None, description="make, buy, outsource or phantom")
    category: Code | None = None
    unit: Code | None = None
    material: Text | None = None
    weight: Quantity | None = None
    gtin: Code | None = None
    price: Money | None = None
    status: Code | None = None


class BomLine(Part):
    """One component and how much of it goes into one of the parent."""

    line: Code | None = None
    component: ProductRef
    revision: Code | None = None
    quantity: Quantity
    scrap_rate: Number | None = Field(default=None, description="0.02 is two per cent")
    position: Text | None = None
    remark: Text | None = None


class Bom(Entity):
    """What one product is made of, as designed, as made, or as made for one order."""

    code: Code
    kind: Code = Field(description="design, production or order")
    product: ProductRef
    revision: Code | None = None
    order: OrderRef | None = None
    status: Code | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    lines: list[BomLine]


class OrderLine(Part):
    """One product of an order."""

    line: Code
    product: ProductRef
    quantity: Quantity
    price: Money | None = None
    amount: Money | None = None
    due: date | None = None


class Order(Entity):
    """A customer's order."""

    number: Code
    customer: CustomerRef
    date: date
    status: Code | None = None
    total: Money | None = None
    salesperson: EmployeeRef | None = None
    lines: list[OrderLine]
    remark: Text | None = None


class Progress(Entity):
    """How far production of one order line has come at one operation."""

    order: OrderRef
    line: Code | None = None
    product: ProductRef | None = None
    operation: Code
    planned: Quantity | None = None
    done: Quantity
    status: Code | None = None
    at: Instant


class StockMovement(Entity):
    """Goods into or out of a warehouse."""

    number: Code
    kind: Code = Field(description="in, out, transfer or count")
    product: ProductRef
    quantity: Quantity
    warehouse: Code | None = None
    lot: Code | None = None
    order: OrderRef | None = None
    at: Instant


class ShipmentLine(Part):
    """One product that left."""

    line: Code | None = None
    product: ProductRef
    quantity: Quantity
    serials: list[Code] | None = None


class Shipment(Entity):
    """Goods on their way to a customer."""

    number: Code
    order: OrderRef | None = None
    customer: CustomerRef | None = None
    date: date
    carrier: Text | None = None
    tracking: Code | None = None
    status: Code | None = None
    lines: list[ShipmentLine]


class InvoiceLine(Part):
    """One line of an invoice; negative on red ones."""

    line: Code | None = None
    product: ProductRef | None = None
    name: Text | None = None
    quantity: Quantity | None = None
    net: Money
    tax: Money | None = None
    tax_rate: Number | None = None


class Invoice(Entity):
    """A sales invoice (开票); a red one takes a blue one back and carries negative amounts."""

    number: Code
    kind: Code | None = Field(default=None, description="blue or red")
    customer: CustomerRef
    order: OrderRef | None = None
    red_of: InvoiceRef | None = None
    date: date
    net: Money | None = None
    tax: Money | None = None
    total: Money
    status: Code | None = None
    lines: list[InvoiceLine] | None = None


class Payment(Entity):
    """Money received from a customer (回款); negative when it goes back."""

    number: Code
    kind: Code | None = Field(default=None, description="payment, refund or write_off; payment where nothing is said")
    customer: CustomerRef
    invoice: InvoiceRef | None = None
    order: OrderRef | None = None
    date: date
    amount: Money
    method: Code | None = None
    status: Code | None = None
    remark: Text | None = None


class SoldProduct(Entity):
    """One thing that was sold, by its serial number (售出产品档案)."""

    serial: Code
    product: ProductRef
    customer: CustomerRef | None = None
    order: OrderRef | None = None
    shipment: ShipmentRef | None = None
    sold: date | None = None
    warranty_until: date | None = None
    status: Code | None = None
    remark: Text | None = None


class OpportunityLine(Part):
    """One product that may be sold."""

    product: ProductRef
    quantity: Quantity | None = None
    amount: Money | None = None


class Opportunity(Entity):
    """A sale that may come about (商机)."""

    number: Code
    title: Text
    customer: CustomerRef | None = None
    salesperson: EmployeeRef | None = None
    stage: Code | None = None
    status: Code | None = Field(default=None, description="open, won or lost")
    amount: Money | None = None
    probability: Number | None = Field(default=None, description="0.3 is three in ten")
    expected: date | None = None
    lines: list[OpportunityLine] | None = None
    remark: Text | None = None


class Activity(Entity):
    """Something done with a customer: a call, a meeting, a visit, a message (客户活动)."""

    number: Code
    subject: Text
    kind: Code | None = Field(default=None, description="call, meeting, visit, message or task")
    status: Code | None = Field(default=None, description="planned, held or cancelled")
    customer: CustomerRef | None = None
    contact: ContactRef | None = None
    opportunity: OpportunityRef | None = None
    employee: EmployeeRef | None = None
    at: Instant | None = None
    until: Instant | None = None
    remark: Text | None = None


class Employee(Entity):
    """Somebody who works here."""

    code: Code
    name: Text
    department: Text | None = None
    position: Text | None = None
    status: Code | None = None
    phone: Code | None = None
    email: Code | None = None
    hired: date | None = None


class Attendance(Entity):
    """One punch of a time clock (签到打卡)."""

    employee: EmployeeRef
    at: Instant
    direction: Code | None = Field(default=None, description="in, out, break-in, break-out")
    method: Code | None = Field(default=None, description="finger, card, face, password")
    device: Code | None = None


class SalesPerformance(Entity):
    """What one employee sold in one month."""

    employee: EmployeeRef
    month: Month
    amount: Money
    orders: int | None = None
    target: Money | None = None


class Region(Entity):
    """A part of the country or of the sales map."""

    code: Code
    name: Text
    level: Code | None = None
    parent: RegionRef | None = None


SHIPPED: dict[str, type[Entity]] = {
    "customer": Customer,
    "contact": Contact,
    "product": Product,
    "bom": Bom,
    "order": Order,
    "progress": Progress,
    "stock_movement": StockMovement,
    "shipment": Shipment,
    "invoice": Invoice,
    "payment": Payment,
    "sold_product": SoldProduct,
    "opportunity": Opportunity,
    "activity": Activity,
    "employee": Employee,
    "attendance": Attendance,
    "sales_performance": SalesPerformance,
    "region": Region,
}

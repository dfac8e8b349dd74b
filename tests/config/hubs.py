"""Hub folders for tests: a good one to break, connectors that need nothing, and a way to write files down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from nave.config import Loaded, load
from nave.core.errors import ConfigError
from nave.core.protocols import ConnectorSpec
from nave.core.units import Duration


class Options(BaseModel):
    """Shared strictness."""

    model_config = ConfigDict(extra="forbid")


class Login(Options):
    """Who logs in."""

    user: str = "nave"
    key: SecretStr | None = None


class DepotOptions(Options):
    """A connection to the depot."""

    url: str
    password: SecretStr | None = None
    login: Login | None = None
    pool: int = Field(default=4, ge=1, le=64)

    @field_validator("url")
    @classmethod
    def _no_ftp(cls, value: str) -> str:
        if value.startswith("ftp://"):
            raise ValueError(f"{value} cannot be reached")
        return value


class Lines(Options):
    """One record per line."""

    type: Literal["lines"]
    separator: str = ","


class Tree(Options):
    """Nested records."""

    type: Literal["tree"]
    record: str
    depth: int = 3


class DepotSource(Options):
    """What to read."""

    query: str | None = None
    since: Duration | int | None = None
    format: Lines | Tree = Field(default=Lines(type="lines"), discriminator="type")
    batch: int = 1000


class DepotSink(Options):
    """Where to write."""

    table: str
    columns: list[str] | None = Field(default=None, min_length=1)


class DoorSource(Options):
    """What is sent to the hub."""

    token: SecretStr | None = None


def _never(*_: Any) -> Any:
    raise AssertionError("reading a hub folder opens nothing")


SPECS = {
    spec.name: spec
    for spec in (
        ConnectorSpec("depot", "A depot", DepotOptions, DepotSource, DepotSink, source=_never, sink=_never),
        ConnectorSpec("door", "A door", Options, DoorSource, pushed=True),
        ConnectorSpec("folder", "A folder", DepotOptions, source=_never, watch=_never),
    )
}


def registry(name: str) -> ConnectorSpec:
    """The connectors of these tests; `broken` stands for one whose vendor's library is not installed."""
    if name == "broken":
        raise ModuleNotFoundError("No module named 'vendor'", name="vendor")
    if name not in SPECS:
        raise ConfigError("NAVE-S001", name=name, near=", ".join(sorted(SPECS)))
    return SPECS[name]


GOOD = {
    "hub.yaml": """\
        hub: plant
        title: {en: The plant, zh: 工厂}
        """,
    "systems/erp.yaml": """\
        system: erp
        time_zone: Asia/Shanghai
        connections:
          db: {type: depot, url: "depot://db", password: "${env:ERP_PASSWORD}"}
        sources:
          customers:
            entity: customer
            from: db
            query: select * from V_CUSTOMER
            every: 5m
            mapping: erp/customer
        sinks:
          customers:
            entity: customer
            to: db
            table: IF_CUSTOMER
            mapping: erp/customer-out
            when: status == "active"
            limits: {rate: 20/s, batch: 100}
        """,
    "systems/crm.yaml": """\
        system: crm
        connections:
          events: {type: door}
        sources:
          contacts: {entity: contact, from: events, mapping: crm/contact}
        """,
    "entities/customer.yaml": """\
        entity: customer
        extend:
          fields:
            plant_grade: {type: code, sensitive: true}
            visits: {type: {list: {object: {day: {type: date, required: true}, host: {type: {ref: employee}}}}}}
        identity:
          exact: [tax_id, [name, phone]]
        survivorship:
          default: most_recent
          name: [crm, erp]
          remark: longest
          contacts: union
        """,
    "entities/course.yaml": """\
        entity: course
        title: {en: Course, zh: 课程}
        fields:
          code: {type: code, required: true}
          teacher: {type: {ref: employee}}
        """,
    "mappings/erp/customer.yaml": """\
        mapping: erp/customer
        from: erp.customers
        to: customer
        key: CUST_CODE
        fields: {code: CUST_CODE, region: {from: AREA, table: region}}
        """,
    "mappings/erp/customer.test.yaml": "cases: []\n",
    "mappings/erp/customer-out.yaml": """\
        mapping: erp/customer-out
        from: customer
        to: erp.customers
        fields: {CODE: code}
        """,
    "mappings/crm/contact.yaml": """\
        mapping: crm/contact
        from: crm.contacts
        to: contact
        fields: {name: name}
        """,
    "tables/region.csv": "from,to\n0001,310000\n",
}
ENVIRON = {"ERP_PASSWORD": "s3cr3t-from-outside"}


def write(folder: Path, files: Mapping[str, str | bytes | None]) -> Path:
    """Put files into `folder`; None leaves one out."""
    for name, content in files.items():
        if content is not None:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
    return folder


def load_hub(
    folder: Path, changes: Mapping[str, str | bytes | None] | None = None, environ: Mapping[str, str] = ENVIRON
) -> Loaded:
    """The good hub with some files changed, added or (None) left out."""
    return load(write(folder, {**GOOD, **(changes or {})}), registry=registry, environ=environ)

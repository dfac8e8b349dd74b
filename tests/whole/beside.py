"""A small application with a customer table of its own, and a hub that lives beside it in the same database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

from nave.beside import Hub
from nave.core import journal

_HUB = "hub: beside\nstore: {store}\n"
_SYSTEM = """
system: app
time_zone: UTC
connections: {inside: {type: beside}}
sources:
  customers: {entity: customer, from: inside, mapping: app/in}
sinks:
  customers: {entity: customer, to: inside, mapping: app/out}
"""
_IN = """
mapping: app/in
from: app.customers
to: customer
key: code
fields: {code: code, name: name}
"""
_OUT = """
mapping: app/out
from: customer
to: app.customers
fields: {code: code, name: name}
"""
_TABLE = "CREATE TABLE client (code VARCHAR(40) PRIMARY KEY, name VARCHAR(200))"
SOURCE = SINK = "app.customers"


@dataclass
class Application:
    """Its database and the folder of its hub."""

    url: sa.URL
    folder: Path

    @property
    def store(self) -> str:
        """Where the hub's tables are: beside the application's own, on PostgreSQL in a schema of their own."""
        if self.url.get_backend_name() == "sqlite":
            return self.url.render_as_string(hide_password=False)
        return self.url.set(query={"options": "-csearch_path=hubs"}).render_as_string(hide_password=False)

    def engine(self) -> sa.Engine:
        """As an application with SQLAlchemy makes one."""
        return sa.create_engine(self.url)

    def connect(self, **named: Any) -> Any:
        """As an application with nothing but the driver connects."""
        if self.url.get_backend_name() == "sqlite":
            return sqlite3.connect(str(self.url.database), timeout=30, **named)
        plain = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain, **named)

    def landed(self) -> list[Any]:
        """The names that the journal holds, in its order."""
        schema = "" if self.url.get_backend_name() == "sqlite" else "hubs."
        with closing(self.connect()) as connection:
            bodies = connection.execute(f"SELECT body FROM {schema}journal_body ORDER BY journal_id").fetchall()
        return [record["name"] for (body,) in bodies for record in journal.unpack(body)[0]]

    def rows(self) -> dict[str, str]:
        """The application's own table."""
        with closing(self.connect()) as connection:
            return dict(connection.execute("SELECT code, name FROM client").fetchall())


def write(folder: Path, url: str) -> Application:
    """The application's table, and the hub's folder."""
    application = Application(sa.make_url(url), folder)
    with closing(application.connect()) as connection:
        connection.execute(_TABLE)
        if application.url.get_backend_name() != "sqlite":
            connection.execute("CREATE SCHEMA hubs")
        connection.commit()
    for name in ("systems", "mappings/app"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    files = {"hub.yaml": _HUB.format(store=application.store), "systems/app.yaml": _SYSTEM}
    for name, text in {**files, "mappings/app/in.yaml": _IN, "mappings/app/out.yaml": _OUT}.items():
        (folder / name).write_text(text, "utf-8")
    return application


@contextmanager
def opened(application: Application) -> Iterator[Hub]:
    """The hub, not at work."""
    with Hub.open(application.folder) as hub:
        yield hub


def client(number: int, name: str) -> dict[str, str]:
    """A record as the application publishes it."""
    return {"code": f"C{number}", "name": name}

"""Writes what people typed into the plant's EspoCRM: its accounts and contacts, with the dirt, as its API gives them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from nave.config.plant.crm_events import contact_event, customer_event, say_contact
from nave.config.plant.dirt import plain_time
from nave.config.plant.systems.names import account_id, contact_id
from nave.config.plant.truth import TruthWriter
from nave.config.plant.world import Company, World

ROWS = "data/espocrm.json"
"""Entity -> its rows, for a stand-in to begin with."""
_AHEAD = timedelta(hours=8)
"""The API tells UTC, the plant's clocks do not."""


def write_accounts(folder: Path, world: World, truth: TruthWriter) -> None:
    """All companies that the CRM knows, and one person at each."""
    known = [company for company in world.companies if "crm" in company.known]
    rows = {"Account": [_account(one) for one in known], "Contact": [_contact(one) for one in known]}
    path = folder / ROWS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=0), "utf-8")
    for one in known:
        say_contact(one, truth)
    truth.wrote("espocrm.accounts", len(known))
    truth.wrote("espocrm.contacts", len(known))
    for fault in ("missing", "wrong"):
        truth.dirtied(f"tax number {fault}", sum(one.known["crm"].tax == fault for one in known))


def _account(company: Company) -> dict[str, Any]:
    at = company.known["crm"].at
    said = customer_event(company, at)["data"]
    (address,) = said["addresses"]
    return {
        "id": account_id(said["id"]),
        "name": said["name"],
        "cCode": said["id"],
        "cShortName": said["shortName"],
        "cTaxId": said.get("taxNo"),
        "cKind": said["type"],
        "cState": said["state"],
        "cGrade": said["grade"],
        "cRegion": said["region"],
        "phoneNumber": said["phone"],
        "emailAddress": said["email"],
        "billingAddressStreet": address["line"],
        "billingAddressPostalCode": address["postcode"],
        **_times(at),
    }


def _contact(company: Company) -> dict[str, Any]:
    said = contact_event(company)["data"]
    return {
        "id": contact_id(said["id"]),
        "cCode": said["id"],
        "firstName": None,
        "lastName": said["name"],
        "name": said["name"],
        "accountId": account_id(said["customer"]),
        "phoneNumber": said["mobile"],
        "emailAddress": said["email"],
        "title": said["title"],
        **_times(company.known["crm"].at),
    }


def _times(at: datetime) -> dict[str, str]:
    return {"createdAt": plain_time(at - _AHEAD), "modifiedAt": plain_time(at - _AHEAD)}

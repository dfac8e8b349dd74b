"""The truth of the plant in the names of the ready-made systems: written by the same writers, changed on its way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nave.config.plant.invoices import LOST_ORDER
from nave.config.plant.orders import SINK as ORDERS
from nave.config.plant.sayings import ref
from nave.config.plant.systems import targets
from nave.config.plant.systems.names import CLOCK, account_id, contact_id, renamed
from nave.config.plant.truth import RULES, Rows, Rules, Said, TruthWriter, Values, Waiting

READY_RULES: Rules = {
    "customer": {**RULES["customer"], "code": ("erp", "nc", "espocrm"), "name": ("nc", "espocrm", "erp")},
    "product": {
        **RULES["product"],
        "code": ("erp", "staging", "solidworks"),
        "name": ("staging", "solidworks", "erp"),
        "drawing_no": ("staging", "erp"),
        "revision": ("staging", "solidworks", "erp"),
        "weight": ("staging", "solidworks"),
    },
}
"""The survivorship of the hub's `entities/*.yaml`, written down a second time."""
LOST = ref("erp", LOST_ORDER)
"""What is for this order goes nowhere."""
_UNTOLD = ("contacts",)
"""What the plant's own CRM lists with a customer, and EspoCRM keeps elsewhere."""
_ALONE: Mapping[str, Callable[[str], tuple[str, str]]] = {
    "contact": lambda key: ("espocrm", contact_id(key)),
    "employee": lambda key: ("hr-db", key),
    "sales_performance": lambda key: ("hr-db", key),
    "attendance": lambda key: ("zkteco", f"{CLOCK}/{key}"),
}
"""System and key of what only one system keeps, by entity; all else is called as it was."""


@dataclass
class RetoldTruth(TruthWriter):
    """Takes what the plant's writers say of `crm`, `pdm` and `hr`, and writes it down of those who stand for them."""

    rules: Rules = field(default_factory=lambda: READY_RULES)
    rows: Rows = targets.rows
    _goods: dict[str, tuple[object, Said]] = field(default_factory=dict)
    """Cluster and statement by the PDM's key, of those that the vault has not spoken of yet."""

    def member(self, entity: str, cluster: object, said: Said) -> None:
        """An account of EspoCRM, a row of the PDM's staging table, or what the others say."""
        told = replace(said, values=renamed(said.values))
        if said.system == "crm":
            told = replace(told, system="espocrm", key=account_id(said.key), values=_of_account(told.values))
        elif said.system == "pdm":
            told = replace(told, system="staging")
            self._goods[said.key] = cluster, said
        super().member(entity, cluster, told)

    def same(self, entity: str, thing: object, member: tuple[str, str]) -> None:
        """The same, by the names of here."""
        super().same(entity, thing, ("espocrm", account_id(member[1])) if member[0] == "crm" else member)

    def alone(self, entity: str, system: str, key: str, values: Values) -> None:
        """What one system says; of a document of the vault its product is known too, and a BOM only if it has lines."""
        told = renamed(values)
        if system == "pdm":
            self._designed(str(values["product"]["key"]))
            if not values["lines"]:
                return
            system = "solidworks"
        elif entity in _ALONE:
            system, key = _ALONE[entity](key)
            told |= {"device": CLOCK} if entity == "attendance" else {}
        super().alone(entity, system, key, told)
        for sink, row in targets.alone(entity, key, told):
            if values.get("order") == LOST:
                self.waits(Waiting(entity, key, "order", f"order {LOST_ORDER} of erp", sink=sink))
            else:
                self.target(sink, row)

    def target(self, sink: str, row: Values) -> None:
        """The plant's CRM has no table of orders here."""
        if sink != ORDERS:
            super().target(sink, row)

    def waits(self, waiting: Waiting) -> None:
        """Nor waits an order for a customer in it."""
        if waiting.sink != ORDERS:
            super().waits(waiting)

    def _designed(self, key: str) -> None:
        """The vault's own word of a product: its master is believed before it in all that it says."""
        if key in self._goods:
            cluster, said = self._goods.pop(key)
            values = {name: said.values[name] for name in ("code", "revision")}
            super().member("product", cluster, Said("solidworks", key, said.at, values))


def _of_account(values: Mapping[str, Any]) -> Values:
    told = {name: value for name, value in values.items() if name not in _UNTOLD}
    told["addresses"] = [{name: one[name] for name in ("line", "postcode")} for one in values["addresses"]]
    return told

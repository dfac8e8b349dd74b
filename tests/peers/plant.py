"""What stands around the example `plant-systems`: stand-ins for EspoCRM and NC's platform, a clock, a scanner at the ramp.

    python -m tests.peers.plant FOLDER     # until Ctrl-C; says what to set before `nave run`

The clock pushes and the scanner scans what the generator wrote, and again from where they were whenever the hub was away:
neither knows more than that it was not answered.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from lxml import etree

from nave.config.plant.systems import targets
from nave.config.plant.systems.doors import PUSHED, SCANS
from nave.config.plant.systems.espocrm import ROWS
from nave.config.plant.systems.names import CLOCK
from nave.config.plant.verify import ReadTargets, read_plant_targets
from tests.peers.espocrm import KEY, Espo
from tests.peers.nc import NcStandIn, nc_stand_in
from tests.peers.running import running
from tests.peers.zkteco import Clock
from tests.servers import free_ports

_MADE = 1 << 40
"""Ids that EspoCRM gives from now on lie above all that it has."""
_ADDRESS = ("billingAddressStreet", "billingAddressPostalCode")
_ACCOUNT = ("name", "cTaxId", "cErpCode", "cNcCode", "cCredit", "phoneNumber", "emailAddress", *_ADDRESS)
_CONTACT = ("id", "lastName", "accountId", "phoneNumber", "emailAddress", "title")
_ACK, _NAK = b"\x06", b"\x15"


@dataclass(frozen=True)
class PlantPeers:
    """The peers of one hub folder, all of them up."""

    folder: Path
    espo: Espo
    nc: NcStandIn
    own: frozenset[str]
    """Ids of accounts that people typed into EspoCRM."""
    door: int
    environment: Mapping[str, str]
    """What the hub's process is to be told."""

    def push(self, stop: threading.Event) -> None:
        """The clock pushes its memory; a clock that the hub does not know is turned away."""
        clock = Clock(CLOCK, self.door, memory=(self.folder / PUSHED).read_text("utf-8").splitlines())
        stranger = Clock("CKJ0000000000", self.door, memory=clock.memory[:3])
        _until(clock.push, stop)
        assert stop.is_set() or not stranger.push()

    def scan(self, stop: threading.Event) -> None:
        """The scanner says one label after the other, each until it is answered."""
        labels = (self.folder / SCANS).read_text("utf-8").splitlines()
        done = 0

        def go_on() -> bool:
            nonlocal done
            port = int(self.environment["AUTOID_DISPATCH"].rpartition(":")[2])
            with closing(socket.create_connection(("127.0.0.1", port), timeout=30)) as line:
                while done < len(labels):
                    line.sendall(labels[done].encode() + b"\r\n")
                    if line.recv(1) not in (_ACK, _NAK):
                        return False
                    done += 1
            return True

        _until(go_on, stop)

    def read_targets(self) -> ReadTargets:
        """Reads what the targets hold, as the truth writes it."""
        plain = read_plant_targets(self.folder)
        known: Mapping[str, Callable[[], Iterator[dict[str, Any]]]] = {
            targets.ACCOUNTS: self._accounts,
            targets.CONTACTS: self._contacts,
            targets.ARCHIVES: lambda: self._bills("customer"),
            targets.RECEIVABLES: lambda: self._bills("F0"),
        }
        return lambda sink: known[sink]() if sink in known else plain(sink)

    def _accounts(self) -> Iterator[dict[str, Any]]:
        for row in self.espo.held["Account"].values():
            shown = {name: row.get(name) for name in _ACCOUNT}
            if shown["cCredit"] is not None:
                shown["cCredit"] = f"{shown['cCredit']:.2f}"
            yield {**shown, "id": row["id"] if row["id"] in self.own else None}

    def _contacts(self) -> Iterator[dict[str, Any]]:
        for row in self.espo.held["Contact"].values():
            yield {name: row.get(name) for name in _CONTACT}

    def _bills(self, kind: str) -> Iterator[dict[str, Any]]:
        for name, (_key, _changes, body) in self.nc.bills().items():
            if name.startswith(f"NAVE-{kind}-"):
                yield _told(etree.fromstring(body))


def _told(bill: etree._Element) -> dict[str, Any]:
    (head,) = bill
    row: dict[str, Any] = _leaves(head)
    items = [_leaves(item) for item in head.iterfind("bodys/item")]
    return {**row, "items": items} if items else row


def _leaves(node: etree._Element) -> dict[str, Any]:
    return {str(one.tag): one.text for one in node if not len(one)}


def _until(done: Callable[[], bool], stop: threading.Event) -> None:
    while not stop.is_set():
        with suppress(OSError):
            if done():
                return
        stop.wait(0.05)


@contextmanager
def plant_peers(folder: Path) -> Iterator[PlantPeers]:
    """EspoCRM and NC's platform with what the generator gave them, as long as the block runs."""
    held = json.loads((folder / ROWS).read_text("utf-8"))
    espo = Espo(_numbers=count(_MADE))
    for entity, rows in held.items():
        espo.held[entity] = {row["id"]: dict(row) for row in rows}
    door, receiving, dispatch = free_ports(3)
    with running(espo.app()) as url, nc_stand_in(folder / "data") as nc:
        environment = {
            "ESPOCRM_URL": url,
            "ESPOCRM_API_KEY": KEY,
            "NC_URL": nc.url,
            "NAVE_LISTEN": f"127.0.0.1:{door}",
            "AUTOID_RECEIVING": f"127.0.0.1:{receiving}",
            "AUTOID_DISPATCH": f"127.0.0.1:{dispatch}",
        }
        yield PlantPeers(folder, espo, nc, frozenset(espo.held["Account"]), door, environment)


@contextmanager
def at_the_doors(peers: PlantPeers) -> Iterator[list[threading.Thread]]:
    """The clock and the scanner at work until they are through or the block ends."""
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(stop,)) for work in (peers.push, peers.scan)]
    for one in threads:
        one.start()
    try:
        yield threads
    finally:
        stop.set()
        for one in threads:
            one.join(60)


def main(folder: Path) -> None:
    """Serve until Ctrl-C."""
    with plant_peers(folder) as peers, at_the_doors(peers), suppress(KeyboardInterrupt):
        for name, value in peers.environment.items():
            print(f"export {name}={value}", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

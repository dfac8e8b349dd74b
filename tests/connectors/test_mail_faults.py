"""Mail servers that refuse, hang, dribble, lie or lose their answer, and hubs that are killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.mail import SPEC, box, post
from nave.connectors.mail.options import MailOptions
from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from nave.core.protocols import Outcome, Setting
from tests.connectors.dropping import records, rows
from tests.connectors.mail_peer import Hub, Mailbox, attach, mail, reading, sending
from tests.connectors.test_mail_sink import Office, record
from tests.servers.dovecot import PASSWORD
from tests.servers.smtp import Exim

pytestmark = pytest.mark.service
pytest_plugins = ["tests.connectors.mail_fixtures"]


@pytest.fixture
def hub(mailbox: Mailbox, tmp_path: Path) -> Hub:
    return Hub(mailbox, tmp_path)


@pytest.fixture
def office(smtp_server: Exim, mailbox: Mailbox, tmp_path: Path) -> Office:
    return Office(smtp_server, mailbox, tmp_path)


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(NaveError) as caught:
        call()
    assert PASSWORD not in repr(caught.value) + caught.value.text("en") + caught.value.text("zh")
    assert "wrong" not in caught.value.text("en")
    assert isinstance(caught.value, LoginError) == (caught.value.code == "NAVE-K283")
    return caught.value.code


def test_starttls_works_as_well(hub: Hub) -> None:
    hub.connection = {"imap": f"imap://127.0.0.1:{hub.box.server.imap}"}
    hub.box.put(mail("a.csv", rows(0, 1)))

    assert hub.run().ids() == ["000000"]


def test_a_refused_login_is_tried_once_and_again_when_a_person_says_so_or_it_is_another(hub: Hub) -> None:
    hub.connection = {"password": "wrong"}
    refused = hub.box.server.log().count("auth failed")

    assert [code_of(hub.run) for _ in range(3)] == ["NAVE-K283"] * 3
    assert _failures(hub, refused + 1) == refused + 1
    connection = MailOptions.model_validate({**reading(hub.box), **hub.connection})
    assert SPEC.check is not None
    with pytest.raises(ConfigError):
        SPEC.check(connection, Setting("doctor", hub.folder))
    assert _failures(hub, refused + 2) == refused + 2
    hub.connection = {}
    hub.run()


def _failures(hub: Hub, expected: int) -> int:
    """What the server has noted of refused logins; it writes a moment after it answered."""
    deadline = time.monotonic() + 20
    while (found := hub.box.server.log().count("auth failed")) < expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


def test_a_refused_login_to_send_is_tried_once(office: Office) -> None:
    office.connection = {"password": "wrong"}
    refused = office.server.log().count("authenticator failed")

    assert [code_of(lambda: office.write(record("a"))) for _ in range(3)] == ["NAVE-K283"] * 3

    assert office.server.log().count("authenticator failed") == refused + 1
    office.connection = {}
    assert office.write(record("a"))[0].outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("lacks", [{"AUTH=PLAIN"}, {"MOVE"}, {"MOVE", "UIDPLUS"}])
def test_servers_that_offer_less_are_used_in_other_ways(hub: Hub, monkeypatch: pytest.MonkeyPatch, lacks: set[str]) -> None:
    def poorer(imap: Any, *told: Any, **options: Any) -> None:
        imap.capabilities = tuple(one for one in imap.capabilities if one not in lacks)
        log_in(imap, *told, **options)
        imap.capabilities = tuple(one for one in imap.capabilities if one not in lacks)

    log_in = box._log_in
    monkeypatch.setattr(box, "_log_in", poorer)
    hub.options = {"done": "done"}
    hub.box.put(mail("a.csv", rows(0, 1)))

    hub.run().run()

    assert hub.ids() == ["000000"]
    assert len(hub.box.messages("done")) == 1
    assert hub.box.flags() == (["\\Deleted \\Seen"] if "UIDPLUS" in lacks else [])


def test_a_server_that_takes_only_login_is_told_it_that_way(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def poorer(smtp: Any, *told: Any, **options: Any) -> None:
        smtp.esmtp_features["auth"] = "LOGIN"
        log_in(smtp, *told, **options)

    log_in = post._log_in
    monkeypatch.setattr(post, "_log_in", poorer)
    assert office.write(record("a"))[0].outcome is Outcome.ACCEPTED
    assert "A=login" in office.server.log()

    office.connection = {"password": "wrong"}
    assert code_of(lambda: office.write(record("b"))) == "NAVE-K283"


def test_doctor_tries_both_logins(smtp_server: Exim, mailbox: Mailbox, tmp_path: Path) -> None:
    assert SPEC.check is not None
    for good in (reading(mailbox), sending(smtp_server)):
        SPEC.check(MailOptions.model_validate(good), Setting("doctor", tmp_path))


@pytest.mark.parametrize("change", [{"ca": None}, {"host": "localhost"}])
def test_a_certificate_that_is_not_good_is_told_nothing(hub: Hub, office: Office, change: dict[str, Any]) -> None:
    host = change.pop("host", "127.0.0.1")
    ports = hub.box.server.imaps, hub.box.server.imap, office.server.smtps, office.server.smtp
    imaps, imap, smtps, smtp = (f"://{host}:{port}" for port in ports)
    before = hub.box.server.log().count("Login: user=")
    hub.box.put(mail("a.csv", rows(0, 1)))

    for url in (f"imaps{imaps}", f"imap{imap}"):
        hub.connection = {"imap": url, **change}
        assert code_of(hub.run) == "NAVE-K331"
    for url in (f"smtps{smtps}", f"smtp{smtp}"):
        office.connection = {"smtp": url, **change}
        assert code_of(lambda: office.write(record("a"))) == "NAVE-K331"

    assert hub.box.server.log().count("Login: user=") == before
    assert hub.landed == []


@dataclass
class Peer:
    """Answers each connection with what a function makes of it, and remembers what it was told."""

    port: int
    told: list[bytes] = field(default_factory=list)


@contextmanager
def answering(script: Callable[[socket.socket, Peer], None]) -> Iterator[Peer]:
    listener = socket.create_server(("127.0.0.1", 0))
    peer = Peer(listener.getsockname()[1])
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            held.append(one)
            threading.Thread(target=_quietly, args=(script, one, peer), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield peer
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)
        for one in held:
            one.close()


def _quietly(script: Callable[[socket.socket, Peer], None], one: socket.socket, peer: Peer) -> None:
    try:
        script(one, peer)
    except OSError:
        return


def _silent(one: socket.socket, peer: Peer) -> None:
    peer.told.append(one.recv(1000))


def _dribbling(one: socket.socket, peer: Peer) -> None:
    while True:
        one.sendall(b"x")
        time.sleep(0.1)


def _shouting(one: socket.socket, peer: Peer) -> None:
    one.sendall(b"* OK " + b"x" * 900 + b"\r\n")
    while True:
        one.sendall((b"* OK " + b"x" * 900 + b"\r\n") * 1000)


def _without_tls(one: socket.socket, peer: Peer) -> None:
    one.sendall(b"* OK hello\r\n")
    while line := one.recv(1000):
        peer.told.append(line)
        one.sendall(b"* CAPABILITY IMAP4REV1 AUTH=PLAIN\r\n" + line.split()[0] + b" OK done\r\n")


def test_an_answer_without_an_end_is_cut_by_its_size(hub: Hub) -> None:
    with answering(_shouting) as peer:
        hub.connection = {"imap": f"imap://127.0.0.1:{peer.port}", "timeout": "1h"}

        with pytest.raises(RetryableError) as caught:
            hub.run()

    assert "bytes in one answer" in caught.value.text()


@pytest.mark.parametrize("script", [_silent, _dribbling])
def test_a_server_that_hangs_or_dribbles_is_given_up(
    hub: Hub, office: Office, script: Callable[[socket.socket, Peer], None]
) -> None:
    with answering(script) as peer:
        hub.connection = {"imap": f"imap://127.0.0.1:{peer.port}", "timeout": "1s"}
        office.connection = {"smtp": f"smtp://127.0.0.1:{peer.port}", "timeout": "1s"}
        begun = time.monotonic()

        assert code_of(hub.run) == "NAVE-K330"
        assert code_of(lambda: office.write(record("a"))) == "NAVE-K330"

    assert time.monotonic() - begun < 60


def test_nothing_is_told_to_a_server_that_knows_no_encryption(hub: Hub) -> None:
    with answering(_without_tls) as peer:
        hub.connection = {"imap": f"imap://127.0.0.1:{peer.port}"}

        assert code_of(hub.run) == "NAVE-K332"

    assert all(line.split()[1] in (b"CAPABILITY", b"LOGOUT") for line in peer.told)


def _losing_the_answer(port: int) -> Callable[[socket.socket, Peer], None]:
    """Passes everything on, but the answer to the first mail that was handed in completely."""
    lost = threading.Event()

    def script(one: socket.socket, peer: Peer) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            threading.Thread(target=_quietly, args=(_up(server), one, peer), daemon=True).start()
            while data := server.recv(65536):
                if b"".join(peer.told).endswith(b"\r\n.\r\n") and not lost.is_set():
                    lost.set()
                    one.shutdown(socket.SHUT_RDWR)
                    return
                one.sendall(data)

    return script


def _up(server: socket.socket) -> Callable[[socket.socket, Peer], None]:
    def script(one: socket.socket, peer: Peer) -> None:
        while data := one.recv(65536):
            peer.told.append(data)
            server.sendall(data)

    return script


_RELAY = {"user": None, "password": None, "encryption": "none"}


def test_after_a_lost_answer_the_same_mail_goes_out_again_under_the_same_id(office: Office) -> None:
    with answering(_losing_the_answer(office.server.plain)) as relay:
        office.connection = {"smtp": f"smtp://127.0.0.1:{relay.port}", **_RELAY}
        with pytest.raises(RetryableError) as caught:
            office.write(record("a"), record("b"))

        receipts = office.write(record("b"), record("c"))

    assert caught.value.code == "NAVE-K339"
    assert [one.outcome.value for one in receipts] == ["duplicate", "accepted"]
    ids = [one["message-id"] for one in office.mails()]
    assert len(ids) == 3
    assert ids[0] == ids[1] != ids[2]
    assert [row["code"] for row in office.rows()] == ["a", "b", "a", "b", "c"]


def test_after_a_lost_answer_a_person_decides_where_that_is_wanted(office: Office) -> None:
    office.options = {"after_lost_answer": "person"}
    with answering(_losing_the_answer(office.server.plain)) as relay:
        office.connection = {"smtp": f"smtp://127.0.0.1:{relay.port}", **_RELAY}

        (unknown,) = office.write(record("a"))
        office.options = {}
        (other,) = office.write(record("b"))  # nothing of what is not known goes out with it
        mails = len(office.mails())
        (again,) = office.write(record("a"))  # as the person said

    assert (unknown.outcome, unknown.error and unknown.error.code) == (Outcome.UNKNOWN, "NAVE-K339")
    assert (other.outcome, again.outcome, mails) == (Outcome.ACCEPTED, Outcome.ACCEPTED, 2)
    ids = [one["message-id"] for one in office.mails()]
    assert ids[0] == ids[2] != ids[1]


_HUB = """
import json, os, pathlib, signal, sys
from types import SimpleNamespace
from tests.connectors.mail_peer import Hub

told = json.loads(sys.stdin.read())
left = iter(range(told["kill"]))
def step(word):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
store = pathlib.Path(told["store"])
box = SimpleNamespace(name=told["box"], server=SimpleNamespace(**told["server"]))
hub = Hub(box, store.parent, {"done": "done", "failed": "failed"})
lines = store.read_text().splitlines() if store.exists() else []
hub.position = json.loads(lines[-1])["position"] if lines else None
def watching(word):
    if word == "behind the commit":
        line = {"landed": hub.batches[-1].records, "refused": len(hub.batches[-1].refused), "position": hub.position}
        with store.open("a") as file:
            file.write(json.dumps(line) + "\\n")
    step(word)
hub.run(watching)
"""


@pytest.mark.parametrize("kills", [(9, 10**9), pytest.param((*range(10), 10**9), marks=pytest.mark.long)])
def test_killed_by_the_system_and_started_again(mailbox: Mailbox, tmp_path: Path, kills: tuple[int, ...]) -> None:
    mailbox.put(attach(mail("a.csv", rows(0, 195)), "b.csv", rows(195, 5)))
    mailbox.put(mail("bad.csv", b"ID\n\x00\n", "2"))
    mailbox.put(mail("c.csv", rows(200, 5), "3"))
    store = tmp_path / "store.jsonl"

    deaths = sum(_hub(mailbox, store, kill) == -signal.SIGKILL for kill in kills)

    commits = [json.loads(line) for line in store.read_text().splitlines()]
    assert deaths == len(kills) - 1
    assert [one for commit in commits for one in commit["landed"]] == records(0, 205)
    assert sum(commit["refused"] for commit in commits) == 1
    assert mailbox.messages() == []
    assert [one["message-id"] for one in mailbox.messages("done")] == ["<1@example.test>", "<3@example.test>"]
    assert [one["message-id"] for one in mailbox.messages("failed")] == ["<2@example.test>"]


def _hub(mailbox: Mailbox, store: Path, kill: int) -> int:
    server = {"imaps": mailbox.server.imaps, "certificate": str(mailbox.server.certificate)}
    told = {"kill": kill, "store": str(store), "box": mailbox.name, "server": server}
    command = [sys.executable, "-c", _HUB]
    done = subprocess.run(command, input=json.dumps(told).encode(), env={**os.environ, "PYTHONPATH": "."}, check=False)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode

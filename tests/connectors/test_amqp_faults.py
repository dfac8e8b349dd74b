"""A broker that dies, or whose certificate nobody knows: nothing is lost, and the rest is refused in clear words."""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.amqp.link import check
from nave.connectors.amqp.options import AmqpOptions, AmqpSinkOptions, AmqpSourceOptions
from nave.connectors.amqp.sink import AmqpSink
from nave.connectors.amqp.source import AmqpSource
from nave.core.errors import ConfigError, NaveError, RetryableError
from nave.core.protocols import Outbound, Outcome, Setting
from tests.conftest import missing
from tests.connectors.amqp_peer import bodies, options, peer
from tests.servers import free_port
from tests.servers.rabbitmq import PASSWORD, USER, Node, rabbitmq_node, rabbitmq_programs

pytest_plugins = ["tests.servers.fixtures"]
pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.timeout(900)]

SETTING = Setting("mes.orders", Path())
COUNT = 10_000


def records() -> list[Outbound]:
    return [Outbound(str(number), 1, {"ID": str(number)}) for number in range(COUNT)]


def publish(server: Node, queue: str, *, kill_behind: int | None = None) -> None:
    """Send all, in batches, until each is confirmed; a batch that is not is sent again, as the hub does."""
    waiting = records()
    killed: threading.Thread | None = None
    with AmqpSink(options(server.url), AmqpSinkOptions(routing_key=queue), SETTING) as sink:
        while waiting:
            if kill_behind is not None and COUNT - len(waiting) >= kill_behind and killed is None:
                killed = threading.Thread(target=restart, args=(server,))
                killed.start()
            try:
                receipts = sink.write(waiting[:500])
            except RetryableError:
                threading.Event().wait(0.2)
                continue
            done = {id(one) for one, said in zip(waiting, receipts, strict=False) if said.outcome is Outcome.ACCEPTED}
            waiting = [one for one in waiting if id(one) not in done]
    if killed is not None:
        killed.join()


def restart(server: Node) -> None:
    server.kill()
    server.start()


def queue_of(server: Node, name: str) -> str:
    with peer(server.url) as other:
        other.channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    settle(server)
    return name


def settle(server: Node) -> None:
    """Have the broker write to its disk which queues there are. RabbitMQ does that some time after it has said that a queue
    is made; of one that is made anew from half of it after a kill, nothing is ever confirmed."""
    assert "error" not in server.ctl("eval", "lists:usort([dets:sync(Table) || Table <- dets:all()]).")


@pytest.mark.long
def test_a_broker_that_is_killed_while_messages_are_sent_has_each_of_them_in_the_end(own_node: Node) -> None:
    queue = queue_of(own_node, "sent")

    publish(own_node, queue, kill_behind=3_000)

    with peer(own_node.url) as other:
        taken = other.take(queue)
    ids = Counter(message.properties["message_id"] for message in taken)
    assert set(ids) == {one.idempotency_key for one in records()}
    assert {body["ID"] for body in bodies(taken)} == {one.key for one in records()}
    assert len(taken) - COUNT <= 500, "only what was on its way may be there twice"


@pytest.mark.long
def test_a_broker_that_is_killed_while_messages_are_read_gives_each_of_them_in_the_end(own_node: Node) -> None:
    queue = queue_of(own_node, "read")
    publish(own_node, queue)
    landed: list[Any] = []
    again: list[Any] = []
    killed: threading.Thread | None = None
    made = AmqpSourceOptions(queue=queue, batch=500)

    while True:
        try:
            with AmqpSource(options(own_node.url), made, SETTING) as source:
                for batch in source.read(None):
                    landed += [record["ID"] for record in batch.records]
                    again += [event for event in batch.origin["events"] if "redelivered" in event]
                    if len(landed) >= 3_000 and killed is None:
                        killed = threading.Thread(target=restart, args=(own_node,))
                        killed.start()
                if killed is not None:
                    killed.join()
                    break
        except RetryableError:
            threading.Event().wait(0.2)

    assert set(landed) == {one.key for one in records()}
    assert len(landed) - COUNT <= len(again), "what comes twice says that it does"
    with peer(own_node.url) as other:
        assert other.take(queue) == []


def test_a_broker_that_falls_silent_leaves_nothing_unsaid(own_node: Node) -> None:
    import signal

    queue = queue_of(own_node, "silent")
    made = AmqpSinkOptions.model_validate({"routing_key": queue, "timeout": "2s", "idempotent": False})
    with AmqpSink(options(own_node.url), made, SETTING) as sink:
        assert sink.write([Outbound("1", 1, {"ID": "1"})])[0].outcome is Outcome.ACCEPTED
        own_node.send(signal.SIGSTOP)
        try:
            receipts = sink.write([Outbound("2", 1, {"ID": "2"})])
        finally:
            own_node.send(signal.SIGCONT)

        later = sink.write([Outbound("3", 1, {"ID": "3"})])

    assert [receipt.outcome for receipt in receipts] == [Outcome.UNKNOWN]
    assert receipts[0].error is not None
    assert receipts[0].error.code == "NAVE-K275"
    assert later[0].outcome is Outcome.ACCEPTED


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -addext subjectAltName=IP:127.0.0.1"
    for authority, name in (("authority", "server"), ("other", "client")):  # a server takes no certificate that signs itself
        signer = ["-CA", f"{authority}.pem", "-CAkey", f"{authority}.key"]
        for who, more in ((authority, ["-x509"]), (name, ["-x509", *signer, "-addext", "basicConstraints=CA:FALSE"])):
            files = ["-subj", f"/CN=nave {who}", "-keyout", f"{who}.key", "-out", f"{who}.pem"]
            subprocess.run([*new.split(), *more, *files], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def secure_port(certificates: Path) -> Iterator[int]:
    """A node that wants a client certificate."""
    programs, port = rabbitmq_programs(), free_port()
    settings = {
        "listeners.ssl.1": f"127.0.0.1:{port}",
        "ssl_options.cacertfile": str(certificates / "other.pem"),
        "ssl_options.certfile": str(certificates / "server.pem"),
        "ssl_options.keyfile": str(certificates / "server.key"),
        "ssl_options.verify": "verify_peer",
        "ssl_options.fail_if_no_peer_cert": "true",
    }
    if programs is None:
        missing("RabbitMQ")
    else:
        with rabbitmq_node(programs, settings=settings):
            yield port


def secure(port: int, host: str = "127.0.0.1", **more: Any) -> AmqpOptions:
    url = f"amqps://{host}:{port}/nave"
    return AmqpOptions.model_validate({"url": url, "user": USER, "password": PASSWORD, **more})


def test_certificates_are_verified_both_ways(secure_port: int, certificates: Path) -> None:
    own = {"certificate": certificates / "client.pem", "certificate_key": certificates / "client.key"}
    known = {"ca": certificates / "authority.pem"}

    check(secure(secure_port, **own, **known), SETTING)
    with pytest.raises(ConfigError) as unknown:
        check(secure(secure_port, **own), SETTING)
    with pytest.raises(ConfigError) as elsewhere:
        check(secure(secure_port, "localhost", **own, **known), SETTING)
    with pytest.raises(NaveError):
        check(secure(secure_port, **known), SETTING)
    with pytest.raises(ConfigError) as absent:
        check(secure(secure_port, ca=certificates / "none.pem"), SETTING)

    assert [one.value.code for one in (unknown, elsewhere, absent)] == ["NAVE-K262", "NAVE-K262", "NAVE-K267"]

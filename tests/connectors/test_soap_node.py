"""The soap connector against a server on Node's `soap` package."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.soap import SPEC
from nave.connectors.soap.options import SoapSinkOptions
from nave.core.protocols import Outcome, Receipt, Setting
from tests.connectors.test_soap import CODED, HERE, TYPED, connection, record, setting, write
from tests.servers.node_soap import node_modules, node_service

__all__ = ["setting"]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    modules = node_modules()
    if modules is None:
        pytest.skip("Node with its soap package is not here, and needs a package registry of its own")
        return
    folder: Path = tmp_path_factory.mktemp("node")
    for name in ("service.wsdl", "types.xsd", "service.js"):
        shutil.copy(HERE / name, folder / name)
    with node_service(modules, folder / "service.js", folder) as url:
        yield url


def test_typed_values_arrive_and_a_repeat_is_known(node: str, setting: Setting) -> None:
    probe = {"operation": "find", "arguments": {"key": "{key}"}, "found": "id", "version_path": "version"}
    options = SoapSinkOptions.model_validate({**TYPED, **CODED, "probe": probe})

    first, again = (write(node, setting, [record("7", 3, "上海 <&>")])[0] for _ in range(2))

    assert (first.outcome, first.remote_key, again.outcome) == (Outcome.ACCEPTED, "R7", Outcome.DUPLICATE)
    assert SPEC.probe is not None
    with SPEC.probe(connection(node, setting), options, setting) as ask:
        assert ask(record("7", 3)) == Receipt(Outcome.DUPLICATE, "上海 <&>")
        assert ask(record("8", 1)) is None


@pytest.mark.parametrize(
    ("name", "options", "outcome"),
    [
        ("client fault", {}, Outcome.REJECTED),
        ("server fault", {}, Outcome.UNKNOWN),
        ("server fault", {"idempotent": True}, Outcome.RETRY),
    ],
)
def test_faults_mean_the_same_also_under_a_good_status(
    node: str, setting: Setting, name: str, options: dict[str, Any], outcome: Outcome
) -> None:
    (receipt,) = write(node, setting, [record("1", text=name)], **options)

    assert receipt.outcome is outcome
    assert receipt.error is not None
    assert receipt.error.code == "NAVE-K227"

"""The Dockerfile and the compose file have the right shape; that they build and run takes a container engine to show."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.pages import ROOT

SERVICE_KEYS = {
    *("build", "image", "init", "restart", "stop_grace_period", "depends_on", "environment", "secrets", "volumes", "ports"),
    *("read_only", "tmpfs", "cap_drop", "security_opt", "healthcheck", "profiles", "hostname"),
    *("command", "deploy"),
}
INSTRUCTIONS = {
    *("FROM", "WORKDIR", "RUN", "COPY", "USER", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.M)).splitlines()
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def test_services_have_known_keys_and_a_health_check_or_the_image_has(compose: dict[str, Any]) -> None:
    assert {key for key in compose if not key.startswith("x-")} <= {"name", "services", "secrets", "volumes"}
    for name, service in compose["services"].items():
        assert set(service) - SERVICE_KEYS == set(), name
        assert "healthcheck" in service or "build" in service, name


def test_what_services_use_is_defined(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        wanted = [one if isinstance(one, str) else one["source"] for one in service.get("secrets", ())]
        volumes = [one.partition(":")[0] for one in service.get("volumes", ())]
        assert set(wanted) <= set(compose["secrets"])
        assert {one for one in volumes if one.isidentifier()} <= set(compose["volumes"])
        assert set(service.get("depends_on", ())) <= set(compose["services"])


def test_what_a_service_starts_is_there_under_the_same_profile(compose: dict[str, Any]) -> None:
    profiles = {name: set(service.get("profiles", ())) for name, service in compose["services"].items()}
    for name, service in compose["services"].items():
        for other in service.get("depends_on", ()):
            assert not profiles[other] or profiles[name] & profiles[other], f"{name} waits for {other}, which does not start"


def test_the_scaled_hub_is_made_of_roles_that_the_command_knows(compose: dict[str, Any]) -> None:
    parts = {
        name: one for name, one in compose["services"].items() if "scaled" in one.get("profiles", ()) and "build" in one
    }
    known = subprocess.run([sys.executable, "-m", "nave.cli", "--help"], capture_output=True, text=True, check=True).stdout

    assert set(parts) == {"serve", "schedule", "worker"}
    assert {"db", "broker"} <= set(compose["services"])
    for name, part in parts.items():
        assert part["command"] == [name]
        assert re.search(rf"\b{name}\b", known), name
        assert part.get("deploy", {}).get("replicas", 1) == 1 or "ports" not in part, "a port of this machine is one's own"


def test_no_secret_is_written_down_and_ports_are_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for key, value in service.get("environment", {}).items():
            assert not re.search(r"PASS|TOKEN|SECRET", key) or key.endswith("_FILE"), key
            assert "://" not in str(value).replace("${", "")
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_instructions_are_known_and_stages_end_as_somebody_without_rights(instructions: list[tuple[str, str]]) -> None:
    words = [word for word, _ in instructions]

    assert set(words) <= INSTRUCTIONS
    last = instructions[len(words) - 1 - words[::-1].index("FROM") :]
    users = [rest for word, rest in last if word == "USER"]
    assert users == ["nave"]
    assert {"HEALTHCHECK", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD"} <= {word for word, _ in last}
    assert all(":" in rest.split()[0] for word, rest in instructions if word == "FROM")


def test_copied_paths_are_there_and_let_through(instructions: list[tuple[str, str]]) -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    for word, rest in instructions:
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source in let_through or any(Path(source).match(one) for one in let_through), source


def test_packages_are_installed_by_their_hashes(instructions: list[tuple[str, str]]) -> None:
    installs = [part for word, rest in instructions if word == "RUN" for part in rest.split("&&") if "pip install" in part]

    assert installs
    assert all("--require-hashes" in part or "--no-index" in part for part in installs)


def test_the_driver_alone_is_taken_from_the_larger_set(instructions: list[tuple[str, str]]) -> None:
    program = next(found[1] for _, rest in instructions if (found := re.search(r"awk '([^']+)'", rest)))
    taken = subprocess.run(
        ["awk", program, ROOT / "requirements/dev.txt"], capture_output=True, text=True, check=True
    ).stdout

    names = re.findall(r"^([a-z][\w.-]*)==", taken, re.M)
    assert names == ["psycopg", "psycopg-binary"]
    assert taken.count("--hash=sha256:") >= 2

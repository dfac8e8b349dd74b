"""Whom the SFTP connector trusts, how it logs in, and what it says where it cannot: against a real OpenSSH server."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.files.sftp import SPEC
from nave.connectors.files.sftpoptions import SftpOptions
from nave.core.errors import ConfigError, NaveError, RetryableError
from nave.core.protocols import Setting
from tests.conftest import missing
from tests.connectors.dropping import records, rows
from tests.connectors.far import connection, far_drop
from tests.servers.openssh import Sshd, sshd, sshd_program

pytestmark = pytest.mark.service


def test_a_key_that_nobody_vouched_for_is_refused_with_its_fingerprint(ssh_server: Sshd, tmp_path: Path) -> None:
    far = far_drop(ssh_server, tmp_path, host_key=None)

    with pytest.raises(ConfigError) as caught:
        far.run()

    assert caught.value.code == "NAVE-K281"
    assert ssh_server.fingerprint in caught.value.help("zh")


def test_another_key_than_the_pinned_one_is_refused_before_anything_is_told(ssh_server: Sshd, tmp_path: Path) -> None:
    far = far_drop(ssh_server, tmp_path, host_key="SHA256:" + "a" * 43, user="never-told")

    with pytest.raises(ConfigError) as caught:
        far.run()

    assert caught.value.code == "NAVE-K282"
    assert "never-told" not in ssh_server.log()


def test_a_known_hosts_file_will_do(ssh_server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text(ssh_server.known_hosts)
    far = far_drop(ssh_server, tmp_path, host_key=None, known_hosts="known_hosts")
    far.put("a.csv", rows(0, 1))

    assert far.run().landed == records(0, 1)

    (tmp_path / "known_hosts").write_text(ssh_server.known_hosts.replace("127.0.0.1", "127.0.0.2"))
    with pytest.raises(ConfigError) as caught:
        far.run()
    assert caught.value.code == "NAVE-K281"


def test_a_login_that_was_refused_is_not_tried_again_until_it_changed_or_a_person_asks(
    ssh_server: Sshd, tmp_path: Path
) -> None:
    far = far_drop(ssh_server, tmp_path, key=str(ssh_server.other_key))
    said = f"Failed publickey for {ssh_server.user}"
    tried = ssh_server.log().count(said)

    for _ in range(3):
        with pytest.raises(ConfigError) as caught:
            far.run()
        assert caught.value.code == "NAVE-K283"
    assert ssh_server.log().count(said) == tried + 1

    assert SPEC.check is not None
    with pytest.raises(ConfigError):
        SPEC.check(far.connection, far.setting)
    assert ssh_server.log().count(said) == tried + 2

    far.connection = connection(ssh_server, far.folder)
    far.put("a.csv", rows(0, 1))
    assert far.run().landed == records(0, 1)


def test_a_server_that_hangs_up_on_a_bad_login_is_tried_twice_and_no_more(tmp_path: Path) -> None:
    program = sshd_program()
    if program is None:
        missing("OpenSSH's server")
        return
    with sshd(program, MaxAuthTries="1") as strict:
        far = far_drop(strict, tmp_path, key=str(strict.other_key))
        codes = []
        for _ in range(4):
            with pytest.raises(NaveError) as caught:
                far.run()
            codes.append(caught.value.code)
        tries = strict.log().count(f"Failed publickey for {strict.user}")

    assert codes[1:] == ["NAVE-K283"] * 3
    assert tries <= 2


def test_a_server_that_says_nothing_is_given_up_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"sftp://127.0.0.1:{silent.getsockname()[1]}/in"
        options = {"url": url, "user": "erp", "password": "geheim", "host_key": "SHA256:" + "a" * 43, "timeout": "300ms"}
        began = time.monotonic()

        with pytest.raises(RetryableError) as caught:
            SPEC.check(SftpOptions.model_validate(options), Setting("erp.orders", tmp_path))  # type: ignore[misc]

    assert caught.value.code == "NAVE-K280"
    assert time.monotonic() - began < 15
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "sftp://127.0.0.1:9/in"}, "NAVE-K280"),
        ({"key": "/nowhere"}, "NAVE-K284"),
        ({"known_hosts": "none"}, "NAVE-K284"),
    ],
)
def test_what_cannot_be_reached_or_read_says_so(ssh_server: Sshd, tmp_path: Path, change: dict[str, str], code: str) -> None:
    made = connection(ssh_server, tmp_path, **({"host_key": None} if "known_hosts" in change else {}), **change)

    with pytest.raises(NaveError) as caught:
        SPEC.check(made, Setting("erp.orders", tmp_path))  # type: ignore[misc]

    assert caught.value.code == code


def test_a_folder_that_is_not_there_is_worth_a_retry(ssh_server: Sshd, tmp_path: Path) -> None:
    with pytest.raises(RetryableError) as caught:
        SPEC.check(connection(ssh_server, tmp_path / "nowhere"), Setting("erp.orders", tmp_path))  # type: ignore[misc]

    assert caught.value.code == "NAVE-K287"


@pytest.mark.parametrize(
    "change",
    [
        {"url": "ftp://host/in"},
        {"url": "sftp://user:secret@host/in"},
        {"url": "sftp://host/../in"},
        {"url": "sftp:///in"},
        {"host_key": "aa:bb"},
        {"known_hosts": "known_hosts"},
        {"password": "both"},
        {"key": None},
        {"timeout": "0s"},
        {"timeout": 5},
        {"more": 1},
    ],
)
def test_options_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    good = {"url": "sftp://host/in", "user": "erp", "key": "id", "host_key": "SHA256:" + "a" * 43}
    SftpOptions.model_validate(good)

    with pytest.raises(ValueError):
        SftpOptions.model_validate({**good, **change})

"""Whom the connectors of file servers trust, and that no login is tried until an account is locked: against real servers.

What all kinds have in common comes first; then a host's key (SFTP), certificates (FTP) and encryption (SMB).
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from paramiko import Channel

from nave.core.errors import ConfigError, LoginError, NaveError, RetryableError
from tests.conftest import missing
from tests.connectors.dropping import records, rows
from tests.connectors.far import Server, far_drop, reach
from tests.servers.openssh import Sshd, sshd, sshd_program
from tests.servers.samba import Smbd, smbd, smbd_program
from tests.servers.vsftpd import Ftpd, vsftpd, vsftpd_program

pytestmark = pytest.mark.service


def _ssh(**settings: str) -> AbstractContextManager[Sshd]:
    program = sshd_program()
    if program is None:
        missing("OpenSSH's server")
    assert program is not None
    return sshd(program, **settings)


def _ftp(**settings: Any) -> AbstractContextManager[Ftpd]:
    program = vsftpd_program()
    if program is None:
        missing("vsftpd")
    assert program is not None
    return vsftpd(program, **settings)


def _smb(**settings: str) -> AbstractContextManager[Smbd]:
    program = smbd_program()
    if program is None:
        missing("Samba")
    assert program is not None
    return smbd(program, **settings)


def test_a_login_that_was_refused_is_not_tried_again_until_it_changed_or_a_person_asks(
    server: Server, tmp_path: Path
) -> None:
    there = reach(server)
    far = far_drop(server, tmp_path, **there.bad)
    check = far.way.spec().check
    assert check is not None
    tried = server.log().count(there.refused)

    for _ in range(3):
        with pytest.raises(LoginError) as caught:
            far.run()
        assert caught.value.code == "NAVE-K283"
        assert not any(str(secret) in str(caught.value) for secret in there.bad.values())
    assert server.log().count(there.refused) == tried + 1

    with pytest.raises(ConfigError):
        check(far.connection, far.setting)
    assert server.log().count(there.refused) == tried + 2

    far.connection = there.options(far.folder)
    far.put("a.csv", rows(0, 1))
    assert far.run().landed == records(0, 1)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("ssh_server", {"key": "/nowhere"}, "NAVE-K284"),
        ("ssh_server", {"host_key": None, "known_hosts": "none"}, "NAVE-K284"),
        ("ftp_server", {"ca": "none.pem"}, "NAVE-K284"),
        ("ftp_server", {"ca": None}, "NAVE-K285"),
    ],
)
def test_papers_that_are_not_there_or_that_nobody_vouched_for_are_told_by_their_code(
    name: str, change: dict[str, Any], code: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    far = far_drop(request.getfixturevalue(name), tmp_path, **change)
    check = far.way.spec().check
    assert check is not None

    with pytest.raises(ConfigError) as run:
        far.run()
    with pytest.raises(ConfigError) as checked:
        check(far.connection, far.setting)

    assert (run.value.code, checked.value.code) == (code, code)


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


def test_a_flow_that_is_resumed_tries_the_login_that_was_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = reach(server)
    far = far_drop(server, tmp_path, **there.bad)
    tried = server.log().count(there.refused)
    with pytest.raises(LoginError):
        far.run()
    monkeypatch.setattr("nave.connectors.dropped.logins._MOMENT", 0.0)

    with pytest.raises(LoginError) as caught:
        far.run()

    assert "a moment ago" not in caught.value.text()
    assert server.log().count(there.refused) == tried + 2


def test_a_server_that_hangs_up_on_a_bad_login_is_tried_twice_and_no_more(tmp_path: Path) -> None:
    with _ssh(MaxAuthTries="1") as strict:
        there = reach(strict)
        far = far_drop(strict, tmp_path, **there.bad)
        codes = []
        for _ in range(4):
            with pytest.raises(NaveError) as caught:
                far.run()
            codes.append(caught.value.code)
        tries = strict.log().count(there.refused)

    assert codes[1:] == ["NAVE-K283"] * 3
    assert tries <= 2


def test_a_server_that_neither_grants_nor_refuses_what_it_is_asked_for_is_given_up_in_time(
    ssh_server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = far_drop(ssh_server, tmp_path, timeout="1s")
    frozen: list[int] = []
    ask = Channel.invoke_subsystem

    def freeze(channel: Channel, subsystem: str) -> None:
        frozen.extend(ssh_server.freeze())
        ask(channel, subsystem)

    monkeypatch.setattr(Channel, "invoke_subsystem", freeze)
    began = time.monotonic()
    try:
        with pytest.raises(RetryableError) as caught:
            far.run()
    finally:
        ssh_server.thaw(frozen)

    assert frozen
    assert caught.value.code == "NAVE-K280"
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("paper", [{"days": -1}, {"address": "127.0.0.2"}])
def test_a_certificate_that_is_not_in_order_is_told_nothing(paper: dict[str, Any], tmp_path: Path) -> None:
    with _ftp(**paper) as server:
        far = far_drop(server, tmp_path)

        with pytest.raises(ConfigError) as caught:
            far.run()

        assert caught.value.code == "NAVE-K285"
        assert '"USER ' not in server.log()


def test_a_server_without_tls_is_refused_and_used_only_where_that_was_asked_for(tmp_path: Path) -> None:
    with _ftp(ssl_enable="NO") as server:
        far = far_drop(server, tmp_path)
        far.put("a.csv", rows(0, 1))
        with pytest.raises(ConfigError) as caught:
            far.run()
        told = server.log()
        far.connection = reach(server).options(far.folder, ca=None, tls=False)
        far.run()

    assert caught.value.code == "NAVE-K286"
    assert '"USER ' not in told
    assert far.landed == records(0, 1)


def test_files_go_over_encrypted(ftp_server: Ftpd, tmp_path: Path) -> None:
    with _ftp(force_anon_data_ssl="YES", force_anon_logins_ssl="YES") as server:
        far = far_drop(server, tmp_path)
        far.put("a.csv", rows(0, 1))

        assert far.run().landed == records(0, 1)

        far.connection = reach(server).options(far.folder, ca=None, tls=False)
        with pytest.raises(ConfigError) as caught:
            far.run()
        assert caught.value.code == "NAVE-K283"


def test_a_share_is_spoken_to_encrypted_and_where_that_cannot_be_not_at_all(tmp_path: Path) -> None:
    with _smb(server_max_protocol="SMB2_10") as server:
        far = far_drop(server, tmp_path)
        far.put("a.csv", rows(0, 1))
        with pytest.raises(ConfigError) as caught:
            far.run()
        told = server.log()
        far.connection = reach(server).options(far.folder, encrypt=False)
        far.run()

    assert caught.value.code == "NAVE-K286"
    assert "NTLMSSP" not in told
    assert far.landed == records(0, 1)


def test_a_server_that_lets_everybody_in_as_a_guest_is_not_taken_for_a_login(tmp_path: Path) -> None:
    with _smb(map_to_guest="Bad Password") as server:
        far = far_drop(server, tmp_path, password="shut sesame")

        with pytest.raises(ConfigError) as caught:
            far.run()

    assert caught.value.code == "NAVE-K283"

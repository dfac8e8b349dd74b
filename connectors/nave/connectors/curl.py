"""What every call by libcurl keeps to: its limits, whom it trusts, and which addresses it never goes to."""

from __future__ import annotations

import base64
import math
import platform
import socket
import ssl
import sys
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pycurl
from pydantic import SecretStr

from nave.core.errors import ConfigError
from nave.core.protocols import Setting

_Ip = IPv4Address | IPv6Address
_NAT64 = IPv6Network("64:ff9b::/96")
_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
"""Where clouds tell a machine who it is, and give it keys; some of these lie among addresses that are anybody's."""


class Limited(Protocol):
    """The options of a connection that all services have."""

    @property
    def user(self) -> str | None: ...
    @property
    def password(self) -> SecretStr | None: ...
    @property
    def ca(self) -> Path | None: ...
    @property
    def connect(self) -> timedelta: ...
    @property
    def idle(self) -> timedelta: ...
    @property
    def timeout(self) -> timedelta: ...


def settings(options: Limited, setting: Setting) -> dict[int, Any]:
    """For every handle: no redirects, no proxies, certificates always verified. A ConfigError where `ca` cannot be read."""
    return {
        pycurl.NOSIGNAL: 1,
        pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.FOLLOWLOCATION: 0,
        pycurl.PATH_AS_IS: 1,
        pycurl.PROXY: "",
        pycurl.USERAGENT: "nave",
        pycurl.CONNECTTIMEOUT_MS: _milliseconds(options.connect),
        pycurl.TIMEOUT_MS: _milliseconds(options.timeout),
        pycurl.LOW_SPEED_LIMIT: 1,
        pycurl.LOW_SPEED_TIME: math.ceil(options.idle.total_seconds()),
        **_trust(options.ca, setting),
    }


def basic_login(options: Limited) -> list[str]:
    """The header for user and password; none where there is no user."""
    if options.user is None or options.password is None:
        return []
    pair = f"{options.user}:{options.password.get_secret_value()}".encode()
    return [f"Authorization: Basic {base64.b64encode(pair).decode()}"]


class Guard:
    """Opens the sockets of one handle, after a look at the very address that the name of its service led to.

    libcurl connects to what is opened here and to nothing else, so a name that answers differently a moment later changes
    nothing.
    """

    def __init__(self, url: str, *, public: bool = False) -> None:
        """`public` keeps it to addresses of the internet."""
        self._host = (urlsplit(url).hostname or "").rstrip(".")
        self._public = public
        self.refused: str | None = None

    def open(self, _purpose: int, address: Any) -> Any:
        """A socket for libcurl; none for an address where the service must not be, which is kept in `refused`."""
        ip = ip_address(str(address.addr[0]).partition("%")[0])
        if forbidden(self._host, ip, public=self._public):
            self.refused = str(ip)
            return pycurl.SOCKET_BAD
        return _Handed(socket.socket(address.family, address.socktype, address.protocol))


class _Handed:
    """A socket on its way to libcurl, which makes its own of it and leaves this one to be closed."""

    def __init__(self, opened: socket.socket) -> None:
        self._opened = opened

    def __del__(self) -> None:
        self._opened.close()

    def fileno(self) -> int:
        return self._opened.fileno()


def forbidden(host: str, ip: _Ip, *, public: bool = False) -> bool:
    """Whether a service that is configured as `host` must not be at `ip`.

    A name may lead into a private network, but neither to a machine's own services nor to those of its cloud; who means
    these writes down the address itself, or localhost. With `public` nothing counts but addresses of the internet.
    """
    real = _unwrapped(ip)
    if public and not real.is_global:
        return True
    if _written(host) == ip:
        return False
    if real.is_loopback:
        return not _names_this_machine(host)
    return real in _METADATA or real.is_link_local or real.is_multicast or real.is_unspecified or real.is_reserved


def _unwrapped(ip: _Ip) -> _Ip:
    """The IPv4 address inside one that only wraps it."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _written(host: str) -> _Ip | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _names_this_machine(host: str) -> bool:
    name, own = host.lower(), platform.node().lower()
    return name == "localhost" or name.endswith(".localhost") or name in (own, own.partition(".")[0])


def _milliseconds(wait: timedelta) -> int:
    return max(1, round(wait.total_seconds() * 1000))


def _trust(ca: Path | None, setting: Setting) -> dict[int, Any]:
    """Whose certificates are believed: the system's issuers, or those in one file."""
    trusted: dict[int, Any] = {pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2}
    if ca is not None:
        file = setting.folder / ca
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            raise ConfigError("NAVE-S055", file=str(ca), reason=str(error)) from error
        return trusted | {pycurl.CAINFO: str(file)}
    if sys.platform == "win32":
        return trusted | {pycurl.SSL_OPTIONS: pycurl.SSLOPT_NATIVE_CA}
    known = ssl.get_default_verify_paths()
    named = {pycurl.CAINFO: known.cafile, pycurl.CAPATH: known.capath}
    return trusted | {name: path for name, path in named.items() if path}

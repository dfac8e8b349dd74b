"""Which of several database servers is meant, and when one of them is of no more use; knows no driver."""

from __future__ import annotations

import re

import sqlalchemy as sa

_SEVERAL = re.compile(
    r"(?P<scheme>[\w+]+)://(?:(?P<login>[^@/]*)@)?(?P<hosts>[^/?@]*,[^/?@]*)(?P<rest>(?:[/?].*)?)", re.DOTALL
)
_USELESS = ("25006", "25P03", "25P04")


def several_hosts(url: str) -> sa.URL | None:
    """The URL of a store on several hosts, as libpq writes it (`postgresql://a:1,b:2/nave`); None where it is on one.

    Where the URL does not say which of them is wanted, it is the one that can be written.
    """
    found = _SEVERAL.fullmatch(url)
    if found is None:
        return None
    login = f"{found['login']}@" if found["login"] else ""
    parsed = sa.make_url(f"{found['scheme']}://{login}{found['rest']}")
    hosts = [host if ":" in host else f"{host}:5432" for host in found["hosts"].split(",")]
    wanted = {"target_session_attrs": "read-write", **parsed.query}
    return parsed.set(query={**wanted, "host": hosts})


def of_no_more_use(error: BaseException | None) -> bool:
    """Whether this connection has to go though it is still open, and another one may do.

    The server cannot be written, or not any more; or it ended a transaction that had stood still for too long.
    """
    return getattr(error, "sqlstate", None) in _USELESS

"""Tries a connection once, harmlessly: both logins, also one that was refused before."""

from __future__ import annotations

from nave.connectors.mail.box import open_box
from nave.connectors.mail.errors import translating
from nave.connectors.mail.options import MailOptions
from nave.connectors.mail.post import open_post
from nave.core.protocols import Setting


def check(connection: MailOptions, setting: Setting) -> None:
    """Log in to each of the two servers that the connection names."""
    if connection.imap is not None:
        with translating(connection.imap), open_box(connection, setting.folder, anew=True):
            pass
    if connection.smtp is not None:
        with translating(connection.smtp), open_post(connection, setting.folder, anew=True):
            pass

"""Connector `mail`: attachments that arrive in an IMAP folder, and batches sent out as attachments by SMTP."""

from __future__ import annotations

from nave.connectors.mail.options import MailOptions, MailSinkOptions, MailSourceOptions
from nave.core.protocols import ConnectorSpec, Extent, Setting, Sink, Source


def _source(connection: MailOptions, options: MailSourceOptions, setting: Setting) -> Source:
    from nave.connectors.mail.source import MailSource

    return MailSource(connection, options, setting)


def _look(connection: MailOptions, options: MailSourceOptions, setting: Setting) -> Source:
    from nave.connectors.mail.glance import Glance

    return Glance(connection, options, setting)


def _sink(connection: MailOptions, options: MailSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.mail.sink import MailSink

    return MailSink(connection, options, setting)


def _check(connection: MailOptions, setting: Setting) -> None:
    from nave.connectors.mail.checking import check

    check(connection, setting)


SPEC = ConnectorSpec(
    name="mail",
    summary="Mail: attachments of an IMAP folder read as dropped files; batches out by SMTP, one mail with a table each",
    options=MailOptions,
    source_options=MailSourceOptions,
    sink_options=MailSinkOptions,
    source=_source,
    sink=_sink,
    check=_check,
    extent=lambda _options: Extent.MAY_BE_ALL,
    look=_look,
)

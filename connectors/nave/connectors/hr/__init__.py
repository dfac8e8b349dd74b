"""Connectors for attendance: `zkteco` clocks that call the hub, and the cloud clocks of DingTalk and WeCom that are asked.

WeCom's customers are asked for in the same way, so `wecom-contacts` is here too; what is noted of them is written as well.

libcurl is loaded when something is opened.
"""

from __future__ import annotations

from nave.connectors.hr.clocks import ZktecoOptions, ZktecoSourceOptions
from nave.connectors.hr.options import (
    CloudOptions,
    CloudSourceOptions,
    ContactSinkOptions,
    ContactSourceOptions,
    DingTalkOptions,
    WeComOptions,
)
from nave.core.protocols import ConnectorSpec, Extent, Setting, Sink, Source


def _dingtalk(connection: CloudOptions, options: CloudSourceOptions, setting: Setting) -> Source:
    from nave.connectors.hr.services import DINGTALK as SERVICE
    from nave.connectors.hr.source import CloudSource

    return CloudSource(SERVICE, connection, options, setting)


def _wecom(connection: CloudOptions, options: CloudSourceOptions, setting: Setting) -> Source:
    from nave.connectors.hr.services import WECOM as SERVICE
    from nave.connectors.hr.source import CloudSource

    return CloudSource(SERVICE, connection, options, setting)


def _contacts(connection: CloudOptions, options: ContactSourceOptions, setting: Setting) -> Source:
    from nave.connectors.hr.contacts import ContactSource

    return ContactSource(connection, options, setting)


def _notes(connection: CloudOptions, options: ContactSinkOptions, setting: Setting) -> Sink:
    from nave.connectors.hr.notes import NoteSink

    return NoteSink(connection, options, setting)


def _all(_options: ContactSourceOptions) -> Extent:
    return Extent.ALL


def _dingtalk_check(connection: CloudOptions, setting: Setting) -> None:
    from nave.connectors.hr.services import DINGTALK as SERVICE
    from nave.connectors.hr.wire import check

    check(SERVICE, connection, setting)


def _wecom_check(connection: CloudOptions, setting: Setting) -> None:
    from nave.connectors.hr.services import WECOM as SERVICE
    from nave.connectors.hr.wire import check

    check(SERVICE, connection, setting)


ZKTECO = ConnectorSpec(
    name="zkteco",
    summary="Time clocks that push their punches to the hub's door (ZKTeco push protocol)",
    options=ZktecoOptions,
    source_options=ZktecoSourceOptions,
    pushed=True,
)

DINGTALK = ConnectorSpec(
    name="dingtalk-attendance",
    summary="Punches of DingTalk: asked for by person and week, with a token that is renewed",
    options=DingTalkOptions,
    source_options=CloudSourceOptions,
    source=_dingtalk,
    check=_dingtalk_check,
    look=_dingtalk,
)

WECOM = ConnectorSpec(
    name="wecom-checkin",
    summary="Punches of WeCom: asked for by person and month, with a token that is renewed",
    options=WeComOptions,
    source_options=CloudSourceOptions,
    source=_wecom,
    check=_wecom_check,
    look=_wecom,
)

CONTACTS = ConnectorSpec(
    name="wecom-contacts",
    summary="Customers of WeCom (客户联系): those of named people or of all, gathered with who follows them",
    options=WeComOptions,
    source_options=ContactSourceOptions,
    sink_options=ContactSinkOptions,
    source=_contacts,
    sink=_notes,
    check=_wecom_check,
    extent=_all,
    look=_contacts,
)

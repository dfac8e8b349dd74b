"""What the http connector's options refuse, and the small readers of its answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from nave.connectors.http import SPEC
from nave.connectors.http.options import HttpOptions, HttpSinkOptions
from nave.connectors.http.paths import at
from nave.connectors.http.waits import retry_after
from nave.core.errors import ConfigError
from nave.core.protocols import Setting

SETTING = Setting("crm.customers", Path())


def test_a_sink_needs_a_url_and_a_source_does_not() -> None:
    assert SPEC.sink is not None
    with pytest.raises(ConfigError) as caught:
        SPEC.sink(HttpOptions(), HttpSinkOptions(path="/x"), SETTING)

    assert caught.value.code == "NAVE-S054"
    assert SPEC.pushed
    assert SPEC.source is None


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://x"},
        {"url": "http://user:pw@x"},
        {"url": "http://x/?token=1"},
        {"url": "http://x", "user": "u"},
        {"url": "http://x", "user": "u", "password": "p", "token": "t"},
        {"url": "http://x", "verify": False},
        {"url": "http://x", "timeout": 30},
    ],
)
def test_connections_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        HttpOptions.model_validate(options)


@pytest.mark.parametrize(
    "options",
    [
        {"path": "customers"},
        {"path": "//evil.example/x"},
        {"path": "/x/{key.__class__}"},
        {"path": "/x y"},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X Y": "a"}},
        {"method": "DELETE"},
        {"probe": {"path": "/x/{key}"}},
        {"success": {}},
        {"concurrency": 0},
    ],
)
def test_sinks_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        HttpSinkOptions.model_validate({"path": "/x", **options})


def test_secrets_do_not_show() -> None:
    options = HttpOptions(url="http://x", token="s3cret")  # type: ignore[arg-type]

    assert "s3cret" not in f"{options!r}{options}"


def test_retry_after_as_number_date_and_nonsense() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert retry_after("5") == 5
    assert 50 < (retry_after(later) or 0) <= 100
    assert retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert retry_after("9" * 40) == 86_400
    far = "Thu, 01 Jan 2030 00:00:00 +999999999999"
    assert [retry_after(text) for text in ("", "soon", "-5", far, None)] == [None] * 5


def test_dotted_paths_reach_into_lists_and_miss_quietly() -> None:
    answer = {"items": [{"id": 7}], "ok": False}

    assert at(answer, "items.0.id") == 7
    assert at(answer, "ok") is False
    missing = at(answer, "items.1.id")
    assert missing is at(answer, "nothing.at.all") is at(answer, "items.x")
    assert missing not in (None, False, "")

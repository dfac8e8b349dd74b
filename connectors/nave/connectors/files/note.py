"""The note that lies beside a refused file: where it stopped, why, and what to do, in both languages."""

from __future__ import annotations

from datetime import datetime

from nave.connectors.files.position import Position, Refusal

_ENGLISH = """{file} was refused on {when:%Y-%m-%d %H:%M:%S %z}.

Why:    {code}: {text}
Where:  {inside}{records} records before it were read and are safe.
To do:  {help}
        Drop the corrected file into the folder again. Records that were read already are recognised and not repeated.
        More: nave explain {code}
"""
_CHINESE = """文件 {file} 于 {when:%Y-%m-%d %H:%M:%S %z} 被拒收。

原因：{code}：{text}
位置：{inside}此前的 {records} 条记录已读入，不会丢失。
处理：{help}
      请改正后将文件重新放入该目录；已读入的记录会被识别，不会重复处理。
      详情：nave explain {code}
"""


def note(file: str, when: datetime, at: Position, refusal: Refusal) -> bytes:
    """As UTF-8 with a BOM, so that every editor shows the Chinese."""
    error = refusal.error()
    inside = f"{refusal.member}; " if refusal.member else ""
    parts = [
        form.format(
            file=file,
            when=when,
            code=error.code,
            text=error.text(language),
            records=at.records,
            inside=inside,
            help=error.help(language),
        )
        for language, form in (("en", _ENGLISH), ("zh", _CHINESE))
    ]
    return "\n".join(parts).encode("utf-8-sig", "replace")

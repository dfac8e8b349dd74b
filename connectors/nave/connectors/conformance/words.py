"""What the kit itself says of a run, in two languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nave.connectors.conformance.behaviours import Text
from nave.core.errors import NaveError
from nave.core.texts import LANGUAGES

_TEXTS: Mapping[str, Text] = {
    "absent": {"en": "{key}: said to be there, but is not", "zh": "{key}：称已送达，实际没有"},
    "mistaken": {"en": "{key}: has the answer of {name}", "zh": "{key}：得到的是 {name} 的应答"},
    "refused": {"en": "{key}: refused for a fault that passes", "zh": "{key}：因会自行消失的故障而被拒绝"},
    "open": {"en": "{key}: never came to an end", "zh": "{key}：始终没有结果"},
    "doubled": {"en": "{key}: {count} x", "zh": "{key}：生效 {count} 次"},
    "skipped": {"en": "{key}: skipped", "zh": "{key}：被跳过"},
    "garbled": {"en": "{key}: garbled", "zh": "{key}：内容有误"},
    "strange": {"en": "no error of the hub's: {error}", "zh": "不是中枢的错误：{error}"},
    "stops": {"en": "stops the flow for a fault that passes: {error}", "zh": "因会自行消失的故障而停止流程：{error}"},
    "bare": {"en": "lacks its text or its help: {error}", "zh": "缺少说明或处理办法：{error}"},
    "mute": {"en": "nothing was said of it", "zh": "没有报告任何问题"},
    "unheard": {"en": "Retry-After was not heard", "zh": "没有遵从 Retry-After"},
    "error": {"en": "{error}", "zh": "{error}"},
}
NOTHING: Text = dict.fromkeys(LANGUAGES, "")


def worded(name: str, /, **values: object) -> Text:
    """One of the kit's texts; an error among the values is shown with its code, in each language."""
    return {language: _TEXTS[name][language].format(**_shown(values, language)) for language in LANGUAGES}


def joined(texts: Iterable[Text]) -> Text:
    """All of them in one line."""
    found = list(texts)
    return {language: " · ".join(text[language] for text in found if text[language]) for language in LANGUAGES}


def _shown(values: Mapping[str, object], language: str) -> dict[str, object]:
    return {
        name: f"{value.code} {value.text(language)}" if isinstance(value, NaveError) else value
        for name, value in values.items()
    }

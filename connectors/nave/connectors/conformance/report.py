"""What came of a run: for each behaviour of the peer, which of four promises were kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from nave.connectors.conformance.behaviours import Behaviour, Text
from nave.connectors.conformance.words import NOTHING


class Verdict(Enum):
    """What became of one promise; the worse, the further down."""

    NOT_APPLICABLE = "not applicable"
    YES = "yes"
    NEEDS_A_PROBE = "needs a probe"
    NO = "no"


PROMISES: Mapping[str, Text] = {
    "lost": {"en": "nothing lost", "zh": "不丢失"},
    "twice": {"en": "nothing twice", "zh": "不重复"},
    "clear": {"en": "clear error", "zh": "错误明确"},
    "ends": {"en": "ends in time", "zh": "按时结束"},
}
WORDS: Mapping[Verdict, Text] = {
    Verdict.NOT_APPLICABLE: {"en": "–", "zh": "–"},
    Verdict.YES: {"en": "yes", "zh": "是"},
    Verdict.NEEDS_A_PROBE: {"en": "needs a probe", "zh": "需要查询确认"},
    Verdict.NO: {"en": "**no**", "zh": "**否**"},
}
_PEER: Text = {"en": "the peer", "zh": "对端"}
_COLON: Text = {"en": ": ", "zh": "："}
_ORDER = list(Verdict)


@dataclass(frozen=True, slots=True)
class Row:
    """One behaviour against one way of using the connector."""

    way: str
    title: Text
    behaviour: Behaviour
    verdicts: Mapping[str, Verdict]
    """By the names in `PROMISES`."""
    said: Text = field(default_factory=lambda: NOTHING)
    """The first error of the connector's, or what it broke."""

    @property
    def tried(self) -> bool:
        """Whether it makes sense here; `said` has the reason where it does not."""
        return set(self.verdicts.values()) != {Verdict.NOT_APPLICABLE}

    @property
    def passed(self) -> bool:
        """Whether no promise was broken."""
        return Verdict.NO not in self.verdicts.values()

    def worse(self, other: Row) -> Row:
        """Both runs of one behaviour as one: each promise as it was kept worst."""
        merged = {name: max(self.verdicts[name], other.verdicts[name], key=_ORDER.index) for name in PROMISES}
        said = next((row.said for row in sorted((self, other), key=lambda row: row.passed) if row.said["en"]), NOTHING)
        return Row(self.way, self.title, self.behaviour, merged, said)


@dataclass(frozen=True, slots=True)
class Report:
    """All rows of one connector."""

    connector: str
    rows: Sequence[Row]

    @property
    def broken(self) -> list[tuple[str, str, str]]:
        """(way, behaviour, promise) of each promise that was broken."""
        return [
            (row.way, row.behaviour.name, promise)
            for row in self.rows
            for promise, verdict in row.verdicts.items()
            if verdict is Verdict.NO
        ]

    def lines(self, language: str) -> list[dict[str, str]]:
        """The rows as plain text, with the title of their way under `way` and the reason under `said`."""
        return [
            {
                "way": row.title[language],
                "behaviour": row.behaviour.text[language],
                **{name: WORDS[row.verdicts[name]][language].strip("*") for name in PROMISES},
                "said": row.said[language],
            }
            for row in self.rows
        ]

    def markdown(self, language: str) -> str:
        """One table per way, as the connectors' pages hold them."""
        return "\n".join(self._tables(language))

    def _tables(self, language: str) -> Iterator[str]:
        for way in dict.fromkeys(row.way for row in self.rows):
            rows = [row for row in self.rows if row.way == way]
            yield f"**{rows[0].title[language]}**"
            yield ""
            yield f"| {_PEER[language]} | {' | '.join(text[language] for text in PROMISES.values())} |"
            yield "|---|" + "---|" * len(PROMISES)
            for row in rows:
                said = " | ".join(WORDS[row.verdicts[name]][language] for name in PROMISES)
                yield f"| {row.behaviour.text[language]} | {said} |"
            yield ""
            for row in (row for row in rows if not row.tried):
                yield f"{row.behaviour.text[language]}{_COLON[language]}{row.said[language]}"
                yield ""

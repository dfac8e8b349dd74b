"""What has to be decided together: everything that links, or a golden record, connect with a change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from nave.core import contributions, decisions, likeness, sharing
from nave.core.contributions import Stored
from nave.core.decisions import Decision
from nave.core.identity import IdentityRules, Name, Node, Pair, Value
from nave.core.merge import Contribution
from nave.core.store import Transaction


@dataclass
class Component:
    """Grows from what a batch says by what the store has; `gone` are records that count no more."""

    tx: Transaction
    entity: str
    rules: IdentityRules
    gone: Collection[Name]
    usable: set[Value]
    """Values that are known to say something; their holders are followed by who begins."""
    crowded: set[Value]
    nodes: dict[Name, Node] = field(default_factory=dict)
    members: dict[Name, Contribution] = field(default_factory=dict)
    journals: dict[Name, int] = field(default_factory=dict)
    pairs: set[Pair] = field(default_factory=set)
    decided: dict[int, Decision] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def add(self, values: Iterable[Value], record_id: int | None, said: Contribution) -> None:
        """One record as the batch says it."""
        counting = tuple(value for value in values if value not in self.crowded)
        self.nodes[said.system, said.key] = Node(said.system, said.key, counting, record_id)
        self.members[said.system, said.key] = said

    def follow(self, stored: Collection[Stored], seeds: set[int]) -> None:
        """Take in these stored records and golden records, and go on until no more come."""
        self._seen |= {one.record_id for one in stored}
        todo = seeds | self._partners(list(self.nodes)) | self._take(stored)
        while todo := todo - self._seen:
            self._seen |= todo
            todo = self._take(contributions.of_records(self.tx, todo))

    def _take(self, stored: Iterable[Stored]) -> set[int]:
        """Take stored records in; returns the golden records that they lead to."""
        new = [one for one in stored if one.name not in self.gone]
        self.journals.update((one.name, one.journal_id) for one in new)
        new = [one for one in new if one.name not in self.nodes]
        values = {one.name: self.rules.values(one.contribution.identifies) for one in new}
        numbers = self._sharers({value for listed in values.values() for value in listed})
        for one in new:
            self.add(values[one.name], one.record_id, one.contribution)
        return numbers | self._partners([one.name for one in new])

    def _sharers(self, values: set[Value]) -> set[int]:
        asked = values - self.usable - self.crowded
        usable = sharing.usable(self.tx, self.entity, asked) if asked else set()
        self.usable |= usable
        self.crowded |= asked - usable
        held = sharing.holders(self.tx, self.entity, usable)
        return {number for names in held.values() for number in names.values() if isinstance(number, int)}

    def _partners(self, names: Sequence[Name]) -> set[int]:
        """The golden records of those that pairs and decisions link to these."""
        if not names:
            return set()
        linked: set[Name] = set()
        if self.rules.scored is not None:
            pairs = likeness.touching(self.tx, self.entity, names, self.rules.scored.link)
            self.pairs |= pairs
            linked |= {name for one in pairs for name in (one.a, one.b)}
        if decisions.any_of(self.tx, self.entity):
            decided = decisions.touching(self.tx, self.entity, names)
            self.decided.update((one.id, one) for one in decided)
            linked |= {name for one in decided if one.verdict == "same" for name in (one.a, one.b)}
        strangers = linked - self.nodes.keys() - set(self.gone)
        return set(contributions.homes(self.tx, self.entity, strangers).values()) if strangers else set()

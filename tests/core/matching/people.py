"""Invented people with the slips of people who type them in: records whose truth is known, made here, downloaded nowhere."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import combinations

_GIVEN = """
anna ben clara david emma felix greta hannes ida jonas karla lukas mia noah olga paul quinn rosa simon tilda
"""
_FAMILY = """
abel brandt coleman dunn eriksen foster grant hughes ingram jensen keller lopez moreau novak ortiz petrov reyes
"""
_STREETS = """
acacia birch cedar dogwood elm fir gum hazel ironbark juniper kauri laurel maple nutmeg oak pine
"""
_TOWNS = """
arden bolton carey denham easton falmer girton harlow ilford jarrow kelso luton
"""

GIVEN, FAMILY, STREETS, TOWNS = (words.split() for words in (_GIVEN, _FAMILY, _STREETS, _TOWNS))

Person = Mapping[str, str]


def person(chance: random.Random) -> dict[str, str]:
    """One invented person."""
    return {
        "given": chance.choice(GIVEN),
        "family": chance.choice(FAMILY) + chance.choice(("", "", "s", "son", "man")),
        "street": f"{chance.choice(STREETS)} {chance.choice(('street', 'road', 'lane'))}",
        "number": str(chance.randrange(1, 200)),
        "town": chance.choice(TOWNS),
        "born": f"19{chance.randrange(30, 99)}{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}",
        "card": str(chance.randrange(10**6, 10**7)),
    }


def slipped(one: Person, chance: random.Random) -> dict[str, str]:
    """The same person as somebody else typed it: one to three fields changed, one perhaps left out."""
    other = dict(one)
    for name in chance.sample(list(other), chance.randrange(1, 4)):
        other[name] = _typo(other[name], chance) if chance.random() < 0.8 else ""
    return other


def _typo(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text))
    letter = chance.choice("0123456789" if text[at].isdigit() else "abcdefghijklmnopqrstuvwxyz")
    return chance.choice((text[:at] + letter + text[at + 1 :], text[:at] + text[at + 1 :], text[:at] + letter + text[at:]))


def population(size: int, seed: int) -> tuple[list[tuple[str, Person]], set[tuple[int, int]]]:
    """`size` people, of whom two in five stand there twice and some three times, and the pairs that are the same."""
    chance = random.Random(seed)
    records: list[tuple[str, Person]] = []
    truth: set[tuple[int, int]] = set()
    for _ in range(size):
        one = person(chance)
        places = [len(records)]
        records.append(("a", one))
        for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
            places.append(len(records))
            records.append(("a", slipped(one, chance)))
        truth |= set(combinations(places, 2))
    return records, truth

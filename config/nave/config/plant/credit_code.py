"""Makes unified social credit codes (GB 32100-2015), right ones and ones whose check digit is wrong."""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_ORGANISATION_CHECK = "0123456789X"
_FIRST = 10_000_019
_STRIDE = 7_654_321
_ROOM = 31**6


def credit_code(region: str, index: int) -> str:
    """The code of the company with that index in a county of 6 digits; different for every index below 31**6."""
    body = "MA" + _base31((_FIRST + index * _STRIDE) % _ROOM, 6)
    start = f"91{region}{body}{_organisation_check(body)}"
    return start + _check(start)


def wrong(code: str) -> str:
    """The same code with another, and therefore wrong, check digit."""
    return code[:-1] + ALPHABET[(ALPHABET.index(code[-1]) + 1) % 31]


def _base31(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 31)
        digits = ALPHABET[digit] + digits
    return digits


def _organisation_check(body: str) -> str:
    total = sum(int(char, 36) * weight for char, weight in zip(body, _ORGANISATION_WEIGHTS, strict=True))
    return _ORGANISATION_CHECK[-total % 11]


def _check(start: str) -> str:
    total = sum(ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(start))
    return ALPHABET[-total % 31]

"""What operators do while a mapping runs: exact numbers, text that is never a number by accident, bounded results.

Compiled mappings call these by name. All raise PermanentError; the compiled code adds which field it was.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Any

from nave.core.errors import PermanentError
from nave.mappings.problems import near, shown

LONGEST_TEXT = 1_000_000
"""Characters of one text that a mapping builds."""
MOST_ITEMS = 100_000
"""Items that all `each` of one record may walk, together."""
MOST_BUILT = 64_000_000
"""Characters that expressions inside `each` may build for one record, together."""
MOST_DIGITS = 100

_EXACT = Context(prec=MOST_DIGITS, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
_DIVIDING = Context(prec=50, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])

_NUMBERS = (int, Decimal)
_DIVISIONS = ("/", "//", "%")


def kind_of(value: object) -> str:
    """What a value is, in the words of a JSON reader."""
    if value is None:
        return "null"
    names = {str: "text", bool: "bool", int: "int", Decimal: "decimal", list: "[...]", dict: "{...}"}
    return names.get(type(value), type(value).__name__)


def refused(by: str, value: object) -> PermanentError:
    """The error of a filter that cannot take this value."""
    return PermanentError("NAVE-M103", by=by, value=shown(value), kind=kind_of(value))


# --- numbers -----------------------------------------------------------------------------------------------------


def _calculator(sign: str, exact: Callable[[Any, Any], Any], whole: Callable[[int, int], Any] | None) -> Any:
    def calculate(left: Any, right: Any) -> Any:
        if type(left) not in _NUMBERS or type(right) not in _NUMBERS:
            raise _not_numbers(sign, left, right)
        try:
            if whole and type(left) is int and type(right) is int:
                return _bounded(whole(left, right))
            return exact(left, right)
        except (ZeroDivisionError, DivisionByZero, InvalidOperation, Overflow, Inexact):
            _without_nan(sign, left, right)
            said = f"{shown(left)} {sign} {shown(right)}"
            if right == 0 and sign in _DIVISIONS:
                raise PermanentError("NAVE-M106", value=said) from None
            raise PermanentError("NAVE-M117", value=said, most=MOST_DIGITS) from None

    return calculate


def _without_nan(sign: str, *values: Any) -> None:
    """Some of them signal even where they are only looked at."""
    for value in values:
        if type(value) is Decimal and value.is_nan():
            raise refused(sign, value)


def _bounded(number: int) -> int:
    if number.bit_length() > 4 * MOST_DIGITS:
        raise PermanentError("NAVE-M117", value=f"({number.bit_length()} bits)", most=MOST_DIGITS)
    return number


def _not_numbers(sign: str, left: Any, right: Any) -> PermanentError:
    wrong = left if type(left) not in _NUMBERS else right
    if wrong is None:
        return PermanentError("NAVE-M105", sign=sign)
    return PermanentError("NAVE-M115", sign=sign, value=shown(wrong), kind=kind_of(wrong))


add = _calculator("+", _EXACT.add, int.__add__)
subtract = _calculator("-", _EXACT.subtract, int.__sub__)
multiply = _calculator("*", _EXACT.multiply, int.__mul__)
divide = _calculator("/", _DIVIDING.divide, None)
divide_whole = _calculator("//", _EXACT.divide_int, int.__floordiv__)
remainder = _calculator("%", _EXACT.remainder, int.__mod__)


def negate(value: Any) -> Any:
    """The same amount with the other sign."""
    return subtract(0, value)


# --- text --------------------------------------------------------------------------------------------------------


def as_text(value: Any) -> str:
    """Text of one value: numbers in plain digits, times in ISO form; refuses lists, objects and nothing."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(_bounded(value))
    if kind is Decimal:
        return plain_digits(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise refused("text", value)


def plain_digits(number: Decimal) -> str:
    """`1E+3` as `1000`, with the zeros it came with."""
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS or len(number.as_tuple().digits) > MOST_DIGITS:
        raise PermanentError("NAVE-M117", value=shown(number), most=MOST_DIGITS)
    return format(number, "f")


def concat(*parts: Any) -> str:
    """All parts as one text; a part that is absent is an error, because nobody sees it missing in the middle."""
    try:
        text = "".join(parts)
    except TypeError:
        text = "".join(map(_part, parts))
    if len(text) > LONGEST_TEXT:
        raise too_long(len(text))
    return text


def concat_many(*parts: Any) -> str:
    """`concat` for so many parts that the lengths are worth adding up first."""
    texts = [_part(part) for part in parts]
    if sum(map(len, texts)) > LONGEST_TEXT:
        raise too_long(sum(map(len, texts)))
    return "".join(texts)


def _part(value: Any) -> str:
    if value is None:
        raise PermanentError("NAVE-M105", sign="~")
    return as_text(value)


def too_long(length: int) -> PermanentError:
    """The error for a text that would be longer than a mapping may build."""
    return PermanentError("NAVE-M114", what=f"{length:,}", limit=f"{LONGEST_TEXT:,}")


# --- comparisons -------------------------------------------------------------------------------------------------


def _family(value: Any) -> object:
    return Decimal if type(value) is int else type(value)


def equal(left: Any, right: Any) -> bool:
    """Equality of like with like; nothing equals only nothing; text against a number is a mistake, not False."""
    try:
        if type(left) is type(right) or left is None or right is None or _family(left) is _family(right):
            return bool(left == right)
    except InvalidOperation:
        _without_nan("==", left, right)
    raise _unlike("==", left, right)


def unequal(left: Any, right: Any) -> bool:
    """The opposite of `equal`, with the same mistakes."""
    return not equal(left, right)


def _order(sign: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(left: Any, right: Any) -> bool:
        if left is None or right is None:
            raise PermanentError("NAVE-M105", sign=sign)
        if _family(left) is not _family(right):
            raise _unlike(sign, left, right)
        try:
            return bool(compare(left, right))
        except (TypeError, InvalidOperation):
            _without_nan(sign, left, right)
            raise _unlike(sign, left, right) from None

    return ordered


less = _order("<", lambda left, right: left < right)
less_or_equal = _order("<=", lambda left, right: left <= right)
greater = _order(">", lambda left, right: left > right)
greater_or_equal = _order(">=", lambda left, right: left >= right)


def _unlike(sign: str, left: Any, right: Any) -> PermanentError:
    return PermanentError(
        "NAVE-M116", sign=sign, left=shown(left), left_kind=kind_of(left), right=shown(right), right_kind=kind_of(right)
    )


def within(item: Any, container: Any) -> bool:
    """`item in container`: an item of a list, a piece of a text; nothing is in nothing."""
    if isinstance(container, list):
        return any(equal(item, other) for other in container)
    if container is None or item is None:
        return False
    if type(container) is str and type(item) is str:
        return item in container
    raise _unlike("in", item, container)


def outside(item: Any, container: Any) -> bool:
    """`item not in container`."""
    return not within(item, container)


# --- ways into a record ------------------------------------------------------------------------------------------


def reach(value: Any, *steps: str | int) -> Any:
    """Follow a path that may be absent: None where it ends early; wrong shapes on the way are errors all the same."""
    for step in steps:
        if value is None or value == "":
            return None
        if type(step) is int:
            value = _item(value, step, None)
        elif type(value) is dict:
            value = value.get(step)
        else:
            raise not_an_object(str(step), value)
    return value


def present(value: Any, *steps: str | int) -> bool:
    """Whether a path is there, null or not."""
    for step in steps:
        if type(step) is int:
            value = _item(value, step, _NOTHING)
        elif type(value) is dict:
            value = value.get(step, _NOTHING)
        else:
            return False
        if value is _NOTHING:
            return False
    return True


_NOTHING = object()


def item_at(value: Any, index: int) -> Any:
    """One item of a list, from 0 or back from -1; something that came alone is a list of one."""
    found = _item(value, index, _NOTHING)
    if found is _NOTHING:
        raise IndexError(index)
    return found


def _item(value: Any, index: int, otherwise: Any) -> Any:
    values = value if type(value) is list else [value]
    return values[index] if -len(values) <= index < len(values) else otherwise


def member(value: Any, name: str) -> Any:
    """`(expression).name`: an entry of an object, never an attribute."""
    if value is None:
        return None
    if type(value) is not dict:
        raise not_an_object(name, value)
    if name not in value:
        raise missing(name, name, value)
    return value[name]


def missing(path: str, name: str, where: dict[str, Any]) -> PermanentError:
    """The error for a field that is not in the record."""
    return PermanentError("NAVE-M101", name=shown(path), near=near(name, where))


def not_an_object(name: str, value: Any) -> PermanentError:
    """The error for `name` asked of a text, a number or a list."""
    return PermanentError("NAVE-M108", name=shown(name), kind=kind_of(value), value=shown(value))


# --- budgets -----------------------------------------------------------------------------------------------------


class Budget:
    """What the loops of one record may still spend."""

    __slots__ = ("built", "items")

    def __init__(self) -> None:
        self.items = MOST_ITEMS
        self.built = MOST_BUILT

    def walk(self, value: Any) -> list[Any]:
        """The items of a list; something that came alone is a list of one, nothing or empty text a list of none."""
        if value is None or value == "":
            return []
        values = value if type(value) is list else [value]
        self.items -= len(values)
        if self.items < 0:
            raise PermanentError("NAVE-M118", limit=f"{MOST_ITEMS:,}")
        return values

    def build(self, value: Any) -> Any:
        """Charge a text that an expression inside a loop has built."""
        if type(value) is str:
            self.built -= len(value)
            if self.built < 0:
                raise PermanentError("NAVE-M114", what=f"> {MOST_BUILT:,}", limit=f"{MOST_BUILT:,}")
        return value


# --- tests -------------------------------------------------------------------------------------------------------


def is_none(value: Any) -> bool:
    """`is none`: null or missing."""
    return value is None


def is_empty(value: Any) -> bool:
    """`is empty`: null, missing, empty text, an empty list or object."""
    return value is None or value == "" or value == [] or value == {}


def is_number(value: Any) -> bool:
    """`is number`."""
    return type(value) in _NUMBERS


def is_text(value: Any) -> bool:
    """`is text`."""
    return type(value) is str


def is_list(value: Any) -> bool:
    """`is list`."""
    return type(value) is list

"""Strict reading of a JSON value (RFC 8259), and its canonical text (RFC 8785); a value is never changed, but refused.

| code | what is refused |
|---|---|
| invalid_utf8, byte_order_mark, control_character, nul | what no text may hold, or no string as it is |
| invalid_json, text_after_value | what the grammar does not know |
| not_finite | NaN and Infinity |
| lone_surrogate | half of a surrogate pair |
| doubled_key | a key that its object has already |
| too_deep, too_many_values | more than 100 arrays and objects in each other; more than a million commas and brackets |
| number_not_exact | only by `canonical_json`: a number that would be another as a double |
"""

import json
import math
import re
from json.encoder import encode_basestring
from typing import Any, NamedTuple, NoReturn, TypeAlias

from records.json.faults import JsonFault, constant_fault, doubled_fault, lone_surrogate, shown, syntax_fault
from records.json.scan import count_structure, first_deeper

MAX_DEPTH = 100
MAX_VALUES = 1_000_000
"""Each takes some fifty times its text in memory."""
WHITESPACE = " \t\r\n"

Value: TypeAlias = Any
"""None, bool, Number, str, list or dict."""


class Number(str):
    """A number as it stands in the text."""

    __slots__ = ()


class _DoubledKeyError(Exception):
    pass


class _ConstantError(Exception):
    pass


def _object(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _DoubledKeyError
    return made


def _constant(name: str) -> NoReturn:
    raise _ConstantError


_DECODER = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=_constant, object_pairs_hook=_object, strict=True
)


def read_value(data: bytes) -> Value:
    """The one value that these bytes are; JsonFault, with its place in them, where they are anything else."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise JsonFault("invalid_utf8", "invalid UTF-8", error.start) from error
    if len(data) > MAX_DEPTH:
        _check_size(data)
    try:
        return _read(text)
    except JsonFault as fault:
        at = fault.at if fault.at is None else len(text[: fault.at].encode())
        raise JsonFault(fault.code, fault.what, at, fault.key) from fault


def _check_size(data: bytes) -> None:
    """What the scanner must not be given: it calls itself for what is nested, and keeps all that it reads."""
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and (deeper := first_deeper(data, MAX_DEPTH)) is not None:
        raise JsonFault("too_deep", f"more than {MAX_DEPTH} arrays and objects in each other,", deeper)
    if len(data) > MAX_VALUES and count_structure(data) > MAX_VALUES:
        raise JsonFault("too_many_values", f"more than {MAX_VALUES} commas and brackets")


def _read(text: str) -> Value:
    """The value; a fault's place counts characters."""
    start = 0 if text[:1] not in WHITESPACE else len(text) - len(text.lstrip(WHITESPACE))
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise syntax_fault(error) from error
    except _ConstantError:
        raise constant_fault(text) from None
    except _DoubledKeyError:
        raise doubled_fault(text) from None
    if end < len(text) and (rest := text[end:].lstrip(WHITESPACE)):
        raise JsonFault("text_after_value", "text after the end of the value", len(text) - len(rest))
    if "\\u" in text and (at := lone_surrogate(text)) is not None:
        raise JsonFault("lone_surrogate", "half of a surrogate pair without the other", at)
    return value


def canonical_json(value: Value) -> str:
    """The value's one text (RFC 8785); JsonFault number_not_exact where a number would be another in it.

    Numbers become doubles there, written with as few digits as tell them from all others: 1.50 is 1.5, and
    9007199254740993 would be 9007199254740992. Integers and floats of Python stand for their numbers.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Number():
            return _number(value)
        case str():
            return encode_basestring(value)
        case list() | tuple():
            return f"[{','.join(map(canonical_json, value))}]"
        case dict():
            members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be"))
            return f"{{{','.join(f'{encode_basestring(key)}:{canonical_json(item)}' for key, item in members)}}}"
        case int() | float():
            return _number(repr(value))
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


class _Digits(NamedTuple):
    """A number without its sign: 0.<digits> times ten to the power of `point`, without zeros at either end."""

    digits: str
    point: int


_NUMBER = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)0*([0-9]*))?")


def _number(text: str) -> str:
    written = _digits(text)
    if not written.digits:
        return "0"
    number = float(text)
    if not number or math.isinf(number):
        raise _inexact(text, "is beyond the range of a double")
    shortest = _digits(repr(number))
    if written != shortest:
        raise _inexact(text, "has more digits than a double holds")
    return "-" * (number < 0) + _ecmascript(shortest)


def _digits(text: str) -> _Digits:
    found = _NUMBER.fullmatch(text)
    if not found:
        raise JsonFault("not_finite", f"{shown(text)} is no number that JSON knows")
    whole, fraction, sign, power = found[1], found[2] or "", found[3], found[4]
    digits = whole + fraction
    significant = digits.lstrip("0")
    # So large an exponent is beyond the range, however it goes on.
    exponent = int(f"{sign or ''}{(power or '0')[:18]}")
    return _Digits(significant.rstrip("0"), len(whole) - (len(digits) - len(significant)) + exponent)


def _ecmascript(number: _Digits) -> str:
    """As ECMAScript writes it (Number::toString)."""
    digits, point = number
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"


def _inexact(text: str, why: str) -> JsonFault:
    return JsonFault("number_not_exact", f"{shown(text)} {why}")

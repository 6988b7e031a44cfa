"""Strict reading against faults with their places and the published corpus; canonical text against RFC 8785."""

import json
import math
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records.json.faults import JsonFault
from records.json.text import Number, canonical_json, read_value

CORPUS = Path(__file__).parents[3].parent / "shared" / "corpora" / "json-test-suite" / "test_parsing"
REFUSED = {"y_object_duplicated_key.json": "doubled_key", "y_object_duplicated_key_and_value.json": "doubled_key"}
"""RFC 8259 lets a reader take them: which of the two values counts, no two readers agree on."""


def refusal(data):
    with pytest.raises(JsonFault) as fault:
        read_value(data)
    return fault.value.code, fault.value.at


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus json-test-suite in corpora beside the repository")
def test_the_corpus_is_accepted_and_refused_as_it_says_and_never_hangs():
    seen = dict.fromkeys("yni", 0)
    for path in sorted(CORPUS.glob("*.json")):
        begun = time.monotonic()
        try:
            read_value(path.read_bytes())
            code = None
        except JsonFault as fault:
            code = fault.code
        kind = path.name[0]
        seen[kind] += 1
        if kind != "i":
            assert bool(code) is (kind == "n" or path.name in REFUSED), path.name
        if path.name in REFUSED:
            assert code == REFUSED[path.name]
        assert time.monotonic() - begun < 5, path.name
    assert min(seen.values()) > 30


@pytest.mark.parametrize(
    ("data", "code", "at"),
    [
        (b"", "invalid_json", 0),
        (b'{"a":1', "invalid_json", 6),
        (b'{"a" 1}', "invalid_json", 5),
        (b"[1,]", "invalid_json", 3),
        (b"[01]", "invalid_json", 2),
        (b'["\\x"]', "invalid_json", 2),
        (b'["\\u12"]', "invalid_json", 3),
        (b'["abc', "invalid_json", 1),
        (b"{'a':1}", "invalid_json", 1),
        ("[٣]".encode(), "invalid_json", 1),
        ("\u00a01".encode(), "invalid_json", 0),
        (b'  {"a":1} x', "text_after_value", 10),
        (b"1 2", "text_after_value", 2),
        (b'["a\tb"]', "control_character", 3),
        (b'["\xc3\xa4\n"]', "control_character", 4),
        (b'["\0"]', "nul", 2),
        (b'["NaN", NaN]', "not_finite", 8),
        (b'{"Infinity": -Infinity}', "not_finite", 13),
        (b'{"a":1,"b":{"a":2,"\\u0061":3}}', "doubled_key", 18),
        (b'{"a":1,"b":{"a":2},"a":3}', "doubled_key", 19),
        (b'["\\ud800"]', "lone_surrogate", 2),
        (b'["\\\\ud800","\\ud83d\\ude00\\uDC00"]', "lone_surrogate", 24),
        (b'{"\\udfff":1}', "lone_surrogate", 2),
        (b'["\xed\xa0\x80"]', "invalid_utf8", 2),
        (b'["\xc3\xa4\xff"]', "invalid_utf8", 4),
        (b'["\xc0\x80"]', "invalid_utf8", 2),
        (b"\xef\xbb\xbf{}", "byte_order_mark", 0),
        (b"[1,\xef\xbb\xbf2]", "byte_order_mark", 3),
        (b'{"a":"]' + b"[" * 500 + b'","b":' + b"[" * 101, "too_deep", 612),
        (b"[" * 101 + b"]" * 101, "too_deep", 100),
        (b"[" + b"1," * 1_000_000 + b"1]", "too_many_values", None),
    ],
)
def test_what_is_no_strict_json_is_refused_by_its_code_at_its_byte(data, code, at):
    assert refusal(data) == (code, at)


def test_numbers_keep_the_text_that_they_stand_in():
    found = read_value(b' [1.50, -0, 1E400, 123456789012345678901234567890, "1.50"]\r\n')
    assert found == ["1.50", "-0", "1E400", "123456789012345678901234567890", "1.50"]
    assert [type(value) for value in found] == [Number] * 4 + [str]


def test_what_looks_like_a_fault_inside_a_string_is_text():
    for text in ["NaN", "{" * 500, '\\"[', "\\\\ud800", "\ufeff", "\u2028", "\x7f", "\U0001f600\uffff"]:
        assert read_value(json.dumps([text]).encode()) == [text]
        assert read_value(json.dumps([text], ensure_ascii=False).encode()) == [text]


def test_a_hundred_arrays_and_objects_may_lie_in_each_other():
    found = read_value(b'{"a":[' * 50 + b"]}" * 50)
    assert canonical_json(found) == '{"a":[' * 50 + "]}" * 50


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 8_000_000,
        b'{"a":' * 2_000_000,
        b'"' + b"\\n" * 4_000_000,
        b'"' + b'\\"' * 4_000_000 + b'"',
        b'["' + b"\\ud83d\\ude00" * 600_000 + b'\\ud83d"]',
        b"1" * 8_000_000 + b"x",
        b"[" + b'"a","",' * 1_000_000,
        b"{" + b'"":1,' * 180_000 + b'"":1}',
        b" " * 8_000_000,
    ],
    ids=range(9),
)
def test_megabytes_made_to_be_slow_are_refused_in_time(data):
    begun = time.monotonic()
    read_or_refuse(data)
    assert time.monotonic() - begun < 20


def read_or_refuse(data):
    try:
        return canonical_json(read_value(data))
    except JsonFault as fault:
        return fault.code


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    # NUL and all others, but no half of a pair.
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 0, "\t"]))
def test_any_value_has_one_canonical_text_that_is_the_value(value, is_ascii, indent):
    written = json.dumps(value, ensure_ascii=is_ascii, indent=indent).encode()
    text = canonical_json(read_value(written))
    assert json.loads(text, parse_int=float) == value
    assert canonical_json(read_value(text.encode())) == text
    assert canonical_json(value) == text


@given(st.binary(max_size=60) | st.text('{}[]",:\\u d8019eE.-+trufalsn\n\0\ufeff', max_size=40).map(str.encode))
def test_any_bytes_are_a_value_that_python_reads_too_or_refused_at_one_of_them(data):
    value, at = None, -1
    try:
        value = read_value(data)
    except JsonFault as fault:
        at = fault.at
    if at == -1:
        assert json.dumps(json.loads(data, parse_float=str, parse_int=str)) == json.dumps(value)
    else:
        assert 0 <= at <= len(data)


EXAMPLE = rb"""{
  "numbers": [333333333.3333333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}"""


def test_the_examples_of_rfc_8785_come_out_as_it_says():
    wanted = '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
    assert canonical_json(read_value(EXAMPLE)) == wanted + '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    keys = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    assert canonical_json(keys) == '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"😀":5,"\ufb33":3}'


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_the_numbers_of_rfc_8785_are_written_as_it_says(bits, text):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    written = {repr(number), repr(number).replace("e", "00E") if "." in repr(number) else text, text}
    assert {canonical_json(read_value(one.encode())) for one in written} == {text}
    assert canonical_json(number) == text


@pytest.mark.parametrize(
    "text",
    [
        "333333333.33333329",
        "0.10000000000000001",
        "295147905179352825856",
        "9007199254740993",
        "0.12345678901234567890",
        "3.141592653589793238462643383279",
        "1e309",
        "-1E99999999999999999999",
        "1e-400",
        "1e-99999999999999999999",
        "1" * 5000,
        f"0.{'0' * 400}1",
    ],
)
def test_a_number_that_no_double_holds_is_refused_and_not_changed(text):
    with pytest.raises(JsonFault) as fault:
        canonical_json(read_value(f"[[{text}]]".encode()))
    assert fault.value.code == "number_not_exact"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0.1000000000000000000000", "0.1"),
        ("295147905179352830000", "295147905179352830000"),
        ("1180591620717411300000", "1.1805916207174113e+21"),
        ("0e999999999999999999999999", "0"),
        ("1e-0000000000000000000002", "0.01"),
        (f"{'1' * 1}{'0' * 300}e-300", "1"),
        ("-0.0e-5", "0"),
    ],
)
def test_a_number_that_a_double_holds_is_taken_however_it_is_written(text, wanted):
    assert canonical_json(read_value(text.encode())) == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_comes_back_from_its_text(number):
    text = canonical_json(number)
    assert float(text) == number
    assert canonical_json(read_value(repr(number).encode())) == text


def test_what_is_no_value_of_json_has_no_text():
    for value in (math.nan, math.inf):
        with pytest.raises(JsonFault, match="no number"):
            canonical_json([value])
    with pytest.raises(TypeError, match="bytes"):
        canonical_json({"a": b""})

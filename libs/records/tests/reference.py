"""Key, hash and checksum row by row in plain Python, and tables of values of all types to try them on."""

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st
from records.columns import dtype
from records.json.text import canonical_json

Row = dict[str, Any]


def text(value: Any, kind: str = "") -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value + 0.0)
    if isinstance(value, datetime):
        return (
            value.astimezone(UTC)
            .isoformat(timespec="microseconds" if kind == "timestamp(6)" else "milliseconds")
            .removesuffix("+00:00")
            + "Z"
        )
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def row_hash(row: Row, types: dict[str, str] | None = None) -> bytes:
    kinds = types or {}
    fields = sorted(
        (name.encode(), text(value, kinds.get(name, "")).encode()) for name, value in row.items() if value is not None
    )
    return hashlib.sha256(b"".join(b"%s=%d:%s," % (name, len(value), value) for name, value in fields)).digest()


def key(parts: tuple[Any, ...], kinds: tuple[str, ...] = ()) -> str:
    texts = (text(part, *kind) for part, *kind in zip(parts, kinds or [""] * len(parts), strict=True))
    joined = "|".join("".join(ESCAPES.get(sign, sign) for sign in one) for one in texts)
    if len(joined.encode()) > 512 or joined.startswith("sha256:"):
        return "sha256:" + hashlib.sha256(joined.encode()).hexdigest()
    return joined


def checksum(versions: list[tuple[str, int, str, bytes | None]]) -> str:
    total = 0
    for name, version, change, digest in versions:
        line = f"{len(name.encode())}:{name},{version},{change},{digest.hex() if digest else ''}"
        total += int.from_bytes(hashlib.sha256(line.encode()).digest()[:16], "big")
    return f"{total % 2**128:032x}"


ESCAPES = {"\\": "\\\\", "|": "\\|"} | {chr(code): f"\\x{code:02x}" for code in [*range(32), 127]}


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    limit = 10**precision - 1
    written = st.integers(-limit, limit) | st.sampled_from([0, 1, -1, limit, -limit])
    return written.map(lambda value: Decimal(f"{value}e-{scale}"))


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('a$.é\U0001f69a\\"', max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a$.€\uffff\U0001f69a", max_size=3), inner),
    max_leaves=5,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=40) | st.text(alphabet="a|\\,=:é€\U0001f69a\x00", max_size=20),
    "integer": st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), 2**63 - 1, 0, 9, 10]),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([-0.0, 1e16, 1e-5, 5e-324]),
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(timezones=st.just(UTC)).map(
        lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)
    ),
    "timestamp(6)": st.datetimes(timezones=st.just(UTC)),
    "json": NESTED.map(canonical_json),
    "decimal(12,2)": decimals(12, 2),
    "decimal(18,18)": decimals(18, 18),
    "decimal(34,0)": decimals(34, 0),
    "decimal(34,7)": decimals(34, 7),
}
NAMES = st.from_regex(r"[a-zé][a-z0-9_]{0,10}", fullmatch=True)
TYPES = st.dictionaries(NAMES, st.sampled_from(sorted(VALUES)), min_size=1, max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, str], list[Row]]:
    """Types and up to six rows of values of them, nulls among them."""
    types = draw(TYPES)
    row = st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in types.items()})
    return types, draw(st.lists(row, max_size=6))


def frame_of(types: dict[str, str], rows: list[Row]) -> pl.DataFrame:
    columns = [pl.Series(name, [row[name] for row in rows], dtype=dtype(kind)) for name, kind in types.items()]
    return pl.DataFrame(columns)


LIMITS: dict[str, tuple[Any, ...]] = {
    "text": ("", "a", "twelve bytes", "thirteen byte", "\U0001f69a" * 3, "\U0001f69a" * 500, "x" * 70_000),
    "integer": (-(2**63), 2**63 - 1, 0),
    "float": (0.0, -0.0, 5e-324, -1.7976931348623157e308),
    "boolean": (True, False),
    "date": (date.min, date.max, date(1970, 1, 1), date(1969, 12, 31)),
    "timestamp": (datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
    "timestamp(6)": (
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
    ),
    "json": (
        "null",
        '""',
        "{}",
        "[]",
        "9007199254740992",
        '{"":{"$set":{"a.b":[1,null,"\U0001f69a"]}}}',
        "[" * 100 + "]" * 100,
    ),
    "decimal(34,0)": (Decimal(10**34 - 1), Decimal(1 - 10**34), Decimal(0)),
    "decimal(34,34)": (Decimal(f"{10**34 - 1}e-34"), Decimal(f"{1 - 10**34}e-34"), Decimal("1e-34")),
    "decimal(12,2)": (Decimal("-0.01"), Decimal("9999999999.99"), Decimal("0.00")),
}

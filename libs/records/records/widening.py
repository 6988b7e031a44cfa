"""Which types may follow each other in a column: those that lose nothing (design.md 7)."""

from records.columns import DECIMAL

INTEGER_DIGITS = 19
"""Of the largest 64-bit integer."""
_PAIRS = {("timestamp", "timestamp(6)"), ("json", "text")}


def widens(held: str, declared: str) -> bool:
    """Whether each value of the held type is one of the declared type.

    integer → decimal → text; timestamp → timestamp(6); json → text; or no change. A timestamp as text would be another
    text in PostgreSQL than in MongoDB.
    """
    if held == declared or (held, declared) in _PAIRS:
        return True
    narrow = (INTEGER_DIGITS, 0) if held == "integer" else _digits(held)
    if narrow is None:
        return False
    if declared == "text":
        return True
    wide = _digits(declared)
    return wide is not None and wide[0] >= narrow[0] and wide[1] >= narrow[1]


def _digits(declared: str) -> tuple[int, int] | None:
    """Digits before and after the point of a decimal."""
    match = DECIMAL.match(declared)
    return (int(match[1]) - int(match[2]), int(match[2])) if match else None

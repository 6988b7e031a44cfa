"""Texts as a workbook writes them: what XML cannot hold is escaped as `_x000D_`."""

import re

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """The text itself; it may hold what was escaped and is no character."""
    if "_x" not in text:
        return text
    found = _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), text)
    # Both halves of a character beyond U+FFFF may be escaped, each for itself.
    return found.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

"""The dialects that files are planted in."""

from .tables import Dialect

DIALECTS = [
    Dialect("comma, LF"),
    Dialect("comma, CRLF", line_end="\r\n"),
    Dialect("comma, CR", line_end="\r", ends="cr"),
    Dialect("comma, LF of any", ends="any"),
    Dialect("comma, CRLF of any", line_end="\r\n", ends="any"),
    Dialect("semicolon, LF", delimiter=";"),
    Dialect("semicolon, single quotes, CRLF", delimiter=";", quote="'", line_end="\r\n"),
    Dialect("tab, LF", delimiter="\t"),
    Dialect("tab, no quotes, LF", delimiter="\t", quote=""),
    Dialect("tab, no quotes, backslash, LF", delimiter="\t", quote="", escape="\\"),
    Dialect("pipe, single quotes, CR of any", delimiter="|", quote="'", line_end="\r", ends="any"),
    Dialect("comma, backslash, LF", escape="\\"),
    Dialect("semicolon, single quotes, backslash, CRLF", delimiter=";", quote="'", escape="\\", line_end="\r\n"),
    Dialect("pipe, caret, CR", delimiter="|", escape="^", line_end="\r", ends="cr"),
]

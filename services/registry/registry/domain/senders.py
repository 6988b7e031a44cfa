"""Who sent an object, and why, as its metadata says."""

from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from registry.domain.arrivals import Sender

MAX_METADATA = 1000


def read_sender(metadata: Mapping[str, str]) -> Sender:
    """The sender whom an object's metadata names; names are in lower case, without `x-amz-meta-`."""
    return Sender(_text(metadata.get("waybill-user")), _text(metadata.get("waybill-reason")))


def _text(value: str | None) -> str | None:
    """Metadata is ASCII; what is not comes as an RFC 2047 encoded word, and stays as it is where it cannot be read."""
    if not value:
        return None
    try:
        text = str(make_header(decode_header(value)))
    except (HeaderParseError, LookupError, ValueError):
        text = value
    # Some encodings can spell what no database holds: NUL and halves of characters.
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:MAX_METADATA]

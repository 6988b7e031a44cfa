"""An event of an old version is read as the newest one; shown with a made-up type, since none has a second version."""

import json
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

import pytest
from waybill_contracts import Event, Unreadable, decode, encode
from waybill_contracts.records import AttemptEvent

FILE = UUID("0193f0c8-0000-7000-8000-000000000001")


class Stamped(AttemptEvent):
    """As it is now: `stamp` was split from `note` in version 2, `note` renamed to `text` in version 3."""

    type: ClassVar[str] = "waybill.file-stamped.v3"

    stamp: int
    text: str


def _split_stamp(body: dict[str, Any]) -> dict[str, Any]:
    stamp, _, note = body.pop("note").partition(" ")
    return body | {"stamp": int(stamp), "note": note}


UPCASTS = {
    "waybill.file-stamped.v1": _split_stamp,
    "waybill.file-stamped.v2": lambda body: body | {"text": body.pop("note")},
}


def lifted(version: int, **body: object) -> Event:
    whole = {"organisation": "acme", "table": "orders", "file_id": str(FILE), "attempt": 3} | body
    now = Stamped(organisation="acme", table="orders", file_id=FILE, attempt=3, stamp=7, text="ok")
    headers = dict(encode(now, source="/x", time=datetime.now(UTC)).headers)
    headers["ce_type"] = f"waybill.file-stamped.v{version}".encode()
    return decode(
        json.dumps(whole).encode(), list(headers.items()), types={Stamped.type: Stamped}, upcasts=UPCASTS
    ).event


def test_an_old_version_is_lifted_one_step_at_a_time_and_keeps_its_id() -> None:
    newest = lifted(3, stamp=7, text="ok")
    assert lifted(1, note="7 ok") == lifted(2, stamp=7, note="ok") == newest
    assert newest.id == lifted(1, note="7 ok").id


@pytest.mark.parametrize("body", [{}, {"note": 7}, {"note": "x"}])
def test_an_old_version_that_cannot_be_lifted_is_unreadable(body: dict[str, object]) -> None:
    with pytest.raises(Unreadable):
        lifted(1, **body)

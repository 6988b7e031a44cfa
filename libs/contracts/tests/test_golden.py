"""One message of every version ever published, read for ever; samples are added, never edited."""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from waybill_contracts import decode, encode
from waybill_contracts.codec import TYPES, UPCASTS

GOLDEN = Path(__file__).parent / "golden"
PUBLISHED = {*TYPES, *UPCASTS}
# Literal, so that neither the namespace nor the format of names can change unnoticed.
IDS = {
    "waybill.declaration-requested.v1": "0193f0c8-2222-7000-8000-000000000002",
    "waybill.declaration-requested.v2": "0193f0c8-2222-7000-8000-000000000002",
    "waybill.decision-requested.v1": "0193f0c8-2222-7000-8000-000000000003",
    "waybill.file-failed.v1": "c9f8efa2-cb77-5c7d-b827-7d4b8caae26b",
    "waybill.file-gone.v1": "c87b7ea9-d98b-50ec-9fff-bdd48df20b64",
    "waybill.file-loaded.v1": "061c1bee-9934-55ce-91a2-e044b07fa7e5",
    "waybill.file-registered.v1": "aca072b1-9fca-5c59-b8b8-ceded2f0df70",
    "waybill.file-registered.v2": "aca072b1-9fca-5c59-b8b8-ceded2f0df70",
    "waybill.file-held.v1": "ce8ee8a3-adf1-53ec-b232-ccd022aea9c1",
    "waybill.file-refused.v1": "a47d50a3-093d-5d96-9a49-edd00d01cb0f",
    "waybill.file-skipped.v1": "98735032-9320-5b89-b041-45b6e32e06f2",
    "waybill.records-ingested.v1": "ec74fdee-97db-5110-aa5c-df10714a8370",
    "waybill.retry-requested.v1": "0193f0c8-2222-7000-8000-000000000001",
}


def sample(ce_type: str) -> tuple[bytes, list[tuple[str, bytes | None]]]:
    """Value and headers of a golden message."""
    message = json.loads((GOLDEN / f"{ce_type}.json").read_text())
    body = json.dumps(message["value"], separators=(",", ":"), ensure_ascii=False).encode()
    return body, [(name, text.encode()) for name, text in message["headers"]]


def test_every_published_version_has_a_sample() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == PUBLISHED


@pytest.mark.parametrize("ce_type", sorted(PUBLISHED))
def test_no_sample_was_edited(ce_type: str) -> None:
    sums = dict(reversed(line.split("  ")) for line in (GOLDEN / "SHA256SUMS").read_text().splitlines())
    assert sha256((GOLDEN / f"{ce_type}.json").read_bytes()).hexdigest() == sums[f"{ce_type}.json"]


@pytest.mark.parametrize("ce_type", sorted(PUBLISHED))
def test_every_sample_is_read_under_its_literal_id(ce_type: str) -> None:
    decoded = decode(*sample(ce_type))
    assert str(decoded.id) == IDS[ce_type]
    assert decoded.event.id == UUID(IDS[ce_type])
    assert decoded.time == datetime(2026, 11, 21, 8, 30, 0, 125000, tzinfo=UTC)


@pytest.mark.parametrize("ce_type", sorted(TYPES))
def test_the_sample_of_a_current_version_is_what_we_send_today(ce_type: str) -> None:
    value, headers = sample(ce_type)
    decoded = decode(value, headers)
    message = encode(
        decoded.event,
        source=decoded.source,
        time=decoded.time,
        causation_id=decoded.causation_id,
        correlation_id=decoded.correlation_id,
    )
    assert message.headers == headers
    assert {name: found for name, found in json.loads(message.value).items() if found is not None}.items() >= {
        name: found for name, found in json.loads(value).items() if found is not None
    }.items()

"""Deliveries as the registry's tests drop and take them."""

from functools import partial
from typing import Any

from chassis import JobKind
from chassis.claim import claim, complete
from chassis.database import Pool
from registry.files import Files
from registry.handlers import register_drops
from registry.jobs import take_delivery
from waybill_contracts import Declaration

from .drops import ORDERS, notify, put, registered, states

FILES = ("{organisation}/{table}/{day}/*.csv",)


def marked(**more: Any) -> Declaration:
    return declared({"marker": "{organisation}/{table}/{day}/_DONE"}, **more)


def listed(**more: Any) -> Declaration:
    return declared({"manifest": "{organisation}/{table}/{day}/manifest.txt"}, **more)


def declared(group: dict[str, str], **more: Any) -> Declaration:
    return Declaration.model_validate(ORDERS.model_dump() | {"files": FILES, "group": group} | more)


def kind(db: Pool, files: Files) -> JobKind:
    return JobKind("delivery", run=partial(take_delivery, db=db, files=files), dense=False)


async def take_all(db: Pool, files: Files) -> int:
    """Run what is queued of deliveries; how many jobs there were."""
    count = 0
    while job := await claim(db, kind(db, files), 30):
        await kind(db, files).run(job)
        await complete(db, kind(db, files), job)
        count += 1
    return count


async def drop(db: Pool, files: Files, *keys: str, body: bytes = b"id\n1\n") -> list[str]:
    """Put objects, have them registered, and deliveries taken; their version ids."""
    versions = [await put(files, key, body) for key in keys]
    messages = [notify(files, key, version) for key, version in zip(keys, versions, strict=True)]
    await register_drops(messages, db=db, files=files)
    await take_all(db, files)
    return versions


async def told(db: Pool) -> list[tuple[str, int, list[tuple[str, str]]]]:
    """Key and arrival of what was registered, with keys and versions of its parts."""
    return [
        (event.object_key, event.arrival, [(part.object_key, part.version_id) for part in event.parts])
        for event in await registered(db)
    ]


async def reasons(db: Pool) -> dict[str, str | None]:
    return {key: reason for key, _, reason in await states(db)}


A, B, C = (f"acme/orders/1/{name}.csv" for name in "abc")
DONE, MANIFEST = "acme/orders/1/_DONE", "acme/orders/1/manifest.txt"

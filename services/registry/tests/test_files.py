"""The bucket, on a real object store."""

import asyncio
from email.header import Header
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from chassis import NotNow
from chassis.errors import is_away
from registry.domain.arrivals import Sender
from registry.files import Files

from .drops import put

AWKWARD = [
    "acme/orders/2026 11+x é.csv",
    "acme/orders/100%25.csv",
    "acme/orders/a&b=c;d.csv",
    "acme/orders/tab\t and\nline \x01.csv",
    "acme/orders/文 ü'\".csv",
]


async def test_versions_of_one_key_are_listed_oldest_first_and_longer_keys_are_not_among_them(files: Files) -> None:
    expected = [await put(files, "acme/orders/a", b"x" * size) for size in (1, 2, 3)]
    for longer in ("acme/orders/a.csv", "acme/orders/a/b"):
        with_same_beginning = await put(files, longer)
        assert with_same_beginning not in expected
    versions = await files.list_versions("acme/orders/a")
    assert [version.version_id for version in versions] == expected
    assert [version.size for version in versions] == [1, 2, 3]
    assert not versions[0].etag.startswith('"')


@pytest.mark.parametrize("key", AWKWARD)
async def test_keys_with_spaces_plus_percent_and_other_letters_come_back_as_they_are(files: Files, key: str) -> None:
    version_id = await put(files, key)
    assert [(each.key, each.version_id) for each in await files.list_versions(key)] == [(key, version_id)]
    assert [version.key async for page in files.pages() for version in page.versions] == [key]
    assert await files.is_there(key, version_id)


async def test_a_key_below_another_one_is_found_by_its_version(files: Files) -> None:
    """MinIO leaves it out of every listing, so only its notification can tell of it."""
    await put(files, "acme/orders/a")
    version_id = await put(files, "acme/orders/a/b")
    (version,) = await files.find_versions({"acme/orders/a/b": {version_id}})
    assert (version.version_id, version.size) == (version_id, 5)


async def test_versions_that_are_named_but_not_there_are_not_found(files: Files) -> None:
    known = await put(files, "acme/orders/a")
    marker = await files.client.delete_object(Bucket=files.bucket, Key="acme/orders/a")
    named = {known, marker["VersionId"], "00000000-0000-0000-0000-000000000000", "no version"}
    assert [each.version_id for each in await files.find_versions({"acme/orders/a": named})] == [known]


@pytest.fixture
def listings(files: Files, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The beginnings of keys that were listed."""
    seen, list_object_versions = [], files.client.list_object_versions

    async def count(**arguments: Any) -> Any:
        seen.append(arguments["Prefix"])
        return await list_object_versions(**arguments)

    monkeypatch.setattr(files.client, "list_object_versions", count)
    return seen


async def test_keys_of_one_folder_are_listed_together_and_as_each_by_itself(files: Files, listings: list[str]) -> None:
    names = ("a", "a.csv", "b", "b c+1 é%2B.csv", "文", "deleted", "below/a")
    keys = [*(f"acme/orders/{name}" for name in names), "acme/other/a"]
    for key in [*keys, "acme/orders/a", "acme/orders/a.csv", "acme/orders/a.csv", "acme/orders/unasked", "acme/o"]:
        await put(files, key)
    await files.client.delete_object(Bucket=files.bucket, Key="acme/orders/deleted")
    keys.append("acme/orders/never there")
    expected = {key: await files.list_versions(key) for key in keys}
    assert [len(versions) for versions in expected.values()] == [2, 3, 1, 1, 1, 1, 1, 1, 0]
    listings.clear()
    found = await files.find_versions(dict.fromkeys(keys, ()))
    assert {key: [version for version in found if version.key == key] for key in keys} == expected
    assert len(found) == sum(map(len, expected.values()))
    assert sorted(listings) == ["acme/orders/", "acme/orders/below/a", "acme/other/a"]


async def test_keys_among_many_others_and_those_the_store_refuses_are_listed_one_by_one(
    files: Files, listings: list[str]
) -> None:
    keys = ["acme/orders/a", "acme/orders/b", "a/../b", "a/../c"]
    versions = [await put(files, "acme/orders/a") for _ in range(20)]
    last = await put(files, "acme/orders/b")
    found = await files.find_versions(dict.fromkeys(keys, ()))
    assert [version.version_id for version in found] == [*versions, last]
    assert listings == ["acme/orders/", "a/../", *keys]


@pytest.mark.parametrize("key", ["a/../b", "acme/orders/not there", "x" * 1024, "//", "a\\b", "a/\x01"])
async def test_a_key_that_is_not_there_or_cannot_be_has_no_versions(files: Files, key: str) -> None:
    assert await files.list_versions(key) == []


async def test_the_listing_is_in_key_order_and_never_splits_the_versions_of_a_key(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"acme/orders/{name}" for name in ("a", "a b", "a+b", "a-b", "a.b", "aa/b", "ab", "é", "文")]
    ids = {key: [await put(files, key) for _ in range(3)] for key in keys}
    paginate = files.client.get_paginator("list_object_versions").paginate
    small = SimpleNamespace(paginate=partial(paginate, PaginationConfig={"PageSize": 2}))
    monkeypatch.setattr(files.client, "get_paginator", lambda _: small)
    pages = [page async for page in files.pages()]
    assert len(pages) > 5
    assert pages[-1].upto is None
    listed = {key: [v.version_id for page in pages for v in page.versions if v.key == key] for key in keys}
    assert listed == ids
    for page, following in pairwise(pages):
        assert page.upto == following.after
        for version in page.versions:
            assert page.after.encode() < version.key.encode() <= (page.upto or "").encode()


async def test_a_delete_marker_and_a_removed_version_are_told_apart(files: Files) -> None:
    kept, removed = await put(files, "acme/orders/a"), await put(files, "acme/orders/b")
    await files.client.delete_object(Bucket=files.bucket, Key="acme/orders/a")
    await files.client.delete_object(Bucket=files.bucket, Key="acme/orders/b", VersionId=removed)
    (page,) = [page async for page in files.pages()]
    assert page.deleted == {"acme/orders/a"}
    assert [version.version_id for version in page.versions] == [kept]
    assert await files.is_there("acme/orders/a", kept)
    assert not await files.is_there("acme/orders/b", removed)


async def test_who_and_why_are_read_from_the_metadata_of_that_version(files: Files) -> None:
    first = await put(files, "acme/orders/a", user="ana", reason="first = 50% + more")
    await put(files, "acme/orders/a", user=Header("Zoë 文", "utf-8").encode())
    await put(files, "acme/orders/a", user="=?utf-7?q?x+2AA-y=00?=", reason="=?no-such?q?x?=")
    senders = [await files.find_sender(version) for version in await files.list_versions("acme/orders/a")]
    assert senders == [Sender("ana", "first = 50% + more"), Sender("Zoë 文", None), Sender("x?y", "=?no-such?q?x?=")]
    version = (await files.list_versions("acme/orders/a"))[0]
    await files.client.delete_object(Bucket=files.bucket, Key="acme/orders/a", VersionId=first)
    assert await files.find_sender(version) == Sender()


async def test_buckets_are_made_with_versions_and_a_notification_rule_and_making_them_again_changes_nothing(
    files: Files, target: str
) -> None:
    await files.make_buckets(target)
    await files.check_buckets()
    versioning = await files.client.get_bucket_versioning(Bucket=files.bucket)
    answer = await files.client.get_bucket_notification_configuration(Bucket=files.bucket)
    assert versioning["Status"] == "Enabled"
    (rule,) = answer["QueueConfigurations"]
    assert rule["QueueArn"] == target
    assert sorted(rule["Events"]) == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]


async def test_what_is_missing_is_named(files: Files) -> None:
    elsewhere = Files(files.client, f"{files.bucket}-x")
    with pytest.raises(NotNow, match=f"bucket missing: {elsewhere.bucket}, {elsewhere.output_bucket}"):
        await elsewhere.check_buckets()
    for bucket in (elsewhere.bucket, elsewhere.output_bucket):
        await files.client.create_bucket(Bucket=bucket)
    with pytest.raises(NotNow, match="versioning of bucket"):
        await elsewhere.check_buckets()


async def test_at_most_sixteen_requests_are_in_flight(files: Files) -> None:
    busy = most = 0

    async def act(number: int) -> int:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.001)
        busy -= 1
        return number

    assert await files.each(act, range(100)) == list(range(100))
    assert most == 16


async def test_a_store_that_is_away_is_known_to_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "waybill")
    async with Files.open("http://127.0.0.1:9", "landing") as nowhere:
        with pytest.raises(Exception) as caught:
            await nowhere.ping()
    assert is_away(caught.value)

import random

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from records.checksum import add_checksums, format_checksum, version_checksums

from .reference import checksum

VERSION = st.tuples(
    st.text(max_size=12),
    st.integers(1, 2**31),
    st.sampled_from(["insert", "update", "delete"]),
    st.none() | st.binary(min_size=32, max_size=32),
)
SCHEMA = {"_key": pl.String, "_version": pl.Int64, "_change": pl.String, "_hash": pl.Binary}

Versions = list[tuple[str, int, str, bytes | None]]


def found(versions: Versions) -> str:
    return format_checksum(version_checksums(pl.DataFrame(versions, schema=SCHEMA, orient="row")))


@given(st.lists(VERSION, max_size=8))
def test_the_checksum_is_the_sum_that_plain_python_finds(versions: Versions) -> None:
    assert found(versions) == checksum(versions)


@given(st.lists(VERSION, max_size=8), st.randoms())
def test_the_order_of_versions_does_not_matter(versions: Versions, chance: random.Random) -> None:
    shuffled = versions.copy()
    chance.shuffle(shuffled)
    assert found(shuffled) == found(versions)


@given(st.lists(VERSION, max_size=8), st.integers(0, 8))
def test_checksums_of_batches_add_up_to_the_checksum_of_all(versions: Versions, cut: int) -> None:
    assert add_checksums([found(versions[:cut]), found(versions[cut:])]) == found(versions)


def test_any_other_key_version_change_or_hash_is_another_checksum() -> None:
    version = ("k", 1, "insert", b"h" * 32)
    others: Versions = [
        ("j", *version[1:]),
        ("k", 2, *version[2:]),
        ("k", 1, "update", version[3]),
        (*version[:3], None),
    ]
    assert len({found([other]) for other in [version, *others]}) == 5


def test_doubled_and_no_versions_count() -> None:
    version = ("k", 1, "insert", b"h" * 32)
    assert found([]) == "0" * 32
    assert found([version, version]) == add_checksums([found([version])] * 2)

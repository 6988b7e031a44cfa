"""Damage to bytes, as discs, networks and people do it, and as somebody would who means harm."""

from collections.abc import Callable, Sequence
from random import Random

MOST_BYTES = 1 << 20
ODD_BYTES = (0, 1, 9, 10, 13, 0x1A, 0x22, 0x7F, 0x80, 0xC0, 0xED, 0xFE, 0xFF)
ODD_NUMBERS = (0, 1, -1, 0x7F, 0x80, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Mutation = Callable[[bytearray, Random], None]


def span(data: bytearray, rng: Random, most: int = 64) -> slice:
    """A place of some bytes, short ones more often than long ones."""
    start = rng.randrange(len(data) + 1)
    return slice(start, start + rng.randint(1, rng.choice([1, 4, most, most * 16])))


def flip_bit(data: bytearray, rng: Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def set_byte(data: bytearray, rng: Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice([*ODD_BYTES, rng.randrange(256)])


def insert_byte(data: bytearray, rng: Random) -> None:
    data.insert(rng.randrange(len(data) + 1), rng.choice([*ODD_BYTES, rng.randrange(256)]))


def delete(data: bytearray, rng: Random) -> None:
    del data[span(data, rng)]


def zero(data: bytearray, rng: Random) -> None:
    place = span(data, rng)
    data[place] = bytes(len(data[place]))


def repeat(data: bytearray, rng: Random) -> None:
    place = span(data, rng)
    data[place.start : place.start] = bytes(data[place]) * rng.choice([1, 2, 5, 100, 2000])


def move(data: bytearray, rng: Random) -> None:
    taken = bytes(data[place := span(data, rng)])
    del data[place]
    at = rng.randrange(len(data) + 1)
    data[at:at] = taken


def truncate(data: bytearray, rng: Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def behead(data: bytearray, rng: Random) -> None:
    del data[: rng.randrange(len(data) + 1)]


def set_number(data: bytearray, rng: Random) -> None:
    """A length or an offset of a binary format that is not true."""
    size = rng.choice([2, 4, 8])
    number = rng.choice(ODD_NUMBERS) + rng.randint(-1, 1)
    at = rng.randrange(len(data) + 1)
    data[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, rng.choice(["little", "big"]))


PLAIN: tuple[Mutation, ...] = (
    flip_bit,
    flip_bit,
    set_byte,
    insert_byte,
    delete,
    zero,
    repeat,
    move,
    truncate,
    behead,
    set_number,
    set_number,
)


def insert_token(tokens: Sequence[bytes]) -> Mutation:
    """What means something in a format, where it should not stand."""

    def insert(data: bytearray, rng: Random) -> None:
        place = slice(at := rng.randrange(len(data) + 1), at + rng.choice([0, 0, 1, 4]))
        data[place] = rng.choice(tokens) * rng.choice([1, 1, 1, 2, 50])

    return insert


def splice(others: Sequence[bytes]) -> Mutation:
    """A piece of another file."""

    def insert(data: bytearray, rng: Random) -> None:
        other = bytearray(rng.choice(others))
        data[span(data, rng)] = other[span(other, rng, 512)]

    return insert


def mutated(content: bytes, rng: Random, tokens: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    """The content with a few of these mutations, or none at all."""
    data = bytearray(content)
    choices = [*PLAIN, *[insert_token(tokens)] * 4, *[splice(others)] * 2]
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3, 5, 12])):
        rng.choice(choices)(data, rng)
        del data[MOST_BYTES:]
    return bytes(data)

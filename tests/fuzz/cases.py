"""The cases of a run: each is made anew from format, seed and number, so nothing has to be kept to run it again."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from waybill_contracts import Format

from tests.fuzz import seeds
from tests.fuzz.mutations import mutated

MARK = b"\xef\xbb\xbf"
LONG = b"x" * 70_000
CSV_TOKENS = [b'"', b'""', b'",', b',"', b'"\n', b",", b";", b"\t", b"|", b"'", b"\\", b'\\"', b"\n", b"\r", b"\r\n"]
CSV_TOKENS += [b"#", b"\n\n", b"\0", b"\xff", b"\xed\xa0\x80", b"\xc0\x80", MARK, b"\xff\xfe", b"\x1a", LONG, b"id,"]
JSON_TOKENS = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\\u", b'"\\ud800"', b"\\u0000", b"null", b"NaN"]
JSON_TOKENS += [b"-Infinity", b"1e999", b"-0", b"01", b"1" * 5000, b"1e-9999999999", b"0.1" + b"0" * 400, b"true"]
JSON_TOKENS += [b"[" * 3000, b'{"a":' * 2000, b'{"id":1}', b'"id":2,', b"\n", b"\r", b"\0", b"\xff", MARK, b"//", LONG]
BINARY_TOKENS = [
    b"PAR1",
    b"PK\x03\x04",
    b"PK\x01\x02",
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
]
BINARY_TOKENS += [b"\xff" * 10, b"\x80" * 10, b"\0" * 64, b"\x15\x00", b"\x19\x0c", b"../", b"id", b"id\0"]
XML_TOKENS = [
    b"<",
    b">",
    b"&",
    b"]]>",
    b"<![CDATA[",
    b"<!--",
    b"-->",
    b'r="XFD1048576"',
    b'r="A0"',
    b'r="ZZZZ99999999"',
]
XML_TOKENS += [b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>', b"&b;", b"&#0;", b"&#xD800;"]
XML_TOKENS += [
    b'<c t="s"><v>99999999</v></c>',
    b'<c t="d"><v>2026-13-45</v></c>',
    b"<v>1e400</v>",
    b"<v>-1</v>",
    b"\xff",
]
XML_TOKENS += [b'<row r="1048577">', b'<row r="1">', b"</row>", b"<v>NaN</v>", b"&amp;lt;", b"\0", b'encoding="UTF-16"']
ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "iso-8859-1", "windows-1252", "windows-1251", "cp437"]
ENCODINGS += ["koi8-r", "mac-roman", "shift_jis", "euc-jp", "gb18030", "big5", "euc-kr", "ascii", "utf-8"]
TO_BE_RECOGNISED = Format()


@dataclass(frozen=True)
class Case:
    """A file, its name, and what is declared of its format."""

    content: bytes
    name: str = "case"
    format: Format = TO_BE_RECOGNISED


def _declared(rng: Random, **said: Any) -> Format:
    """What is said; or, every other time, less of it."""
    return Format.model_validate({key: value for key, value in said.items() if rng.random() < 0.5 or key == "repair"})


def _repairs(rng: Random) -> tuple[str, ...]:
    known = ("missing_fields", "empty_extra_fields", "stray_quotes", "invalid_bytes", "control_characters")
    return tuple(repair for repair in known if rng.random() < 0.1)


def csv_case(rng: Random) -> Case:
    delimiter, quote = rng.choice([",", ",", ";", "|", "\t"]), rng.choice(['"', '"', "'"])
    end = rng.choice(["\n", "\n", "\r\n", "\r"])
    clean = seeds.csv_file(_rows(rng), delimiter, quote, end)
    said: dict[str, Any] = {"type": "csv", "delimiter": delimiter, "quote": quote, "encoding": "utf-8", "header": True}
    said |= {"line_end": rng.choice(["any", "cr" if end == "\r" else "lf"]), "repair": _repairs(rng)}
    said |= {key: value for key, value in (("comment", "#"), ("escape", "\\"), ("skip_lines", 1)) if rng.random() < 0.2}
    others = [clean, seeds.csv_file(_rows(rng))]
    return Case(mutated(clean, rng, CSV_TOKENS, others), rng.choice(["a.csv", "a.txt"]), _declared(rng, **said))


def tsv_case(rng: Random) -> Case:
    clean = seeds.csv_file(_rows(rng), "\t")
    said = {"type": "tsv", "quote": rng.choice(['"', ""]), "repair": _repairs(rng)}
    return Case(mutated(clean, rng, CSV_TOKENS, [clean]), "a.tsv", _declared(rng, **said))


def jsonl_case(rng: Random) -> Case:
    clean = "".join(line + "\n" for line in seeds.json_rows(_rows(rng))).encode()
    return Case(mutated(clean, rng, JSON_TOKENS, [clean]), "a.jsonl", _declared(rng, type="jsonl"))


def json_case(rng: Random) -> Case:
    lines = seeds.json_rows(_rows(rng))
    clean = ("[" + rng.choice([",", ", ", ",\n  "]).join(lines) + "]\n").encode()
    return Case(mutated(clean, rng, JSON_TOKENS, [clean]), "a.json", _declared(rng, type="json"))


def parquet_case(rng: Random) -> Case:
    clean = seeds.parquet_file(_rows(rng), rng.randrange(20))
    changed = mutated(clean, rng, BINARY_TOKENS, [clean])
    if rng.random() < 0.5:
        # Damage between the marks: the footer is where most lies.
        changed = clean[:4] + mutated(clean[4:-8], rng, BINARY_TOKENS, [clean]) + clean[-8:]
    return Case(changed, "a.parquet", _declared(rng, type="parquet"))


def excel_case(rng: Random) -> Case:
    parts = seeds.workbook_parts(_rows(rng))
    if rng.random() < 0.7:
        name = rng.choice([*parts, "xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"])
        parts[name] = mutated(parts[name], rng, XML_TOKENS, list(parts.values()))
        return Case(seeds.zip_file(parts), "a.xlsx", _declared(rng, type="excel"))
    clean = seeds.zip_file(parts)
    return Case(mutated(clean, rng, BINARY_TOKENS, [clean]), "a.xlsx", _declared(rng, type="excel", sheet="Sheet1"))


def _packed(rng: Random, pack: Callable[[bytes], bytes], name: str, compression: str) -> Case:
    """Damage to what is packed, or to the packed bytes; sometimes packed twice, or a file that is mostly one byte."""
    inner = rng.choice([csv_case, jsonl_case])(rng)
    content = inner.content
    if rng.random() < 0.1:
        content += rng.choice([b"\n", b"0", b'"', b","]) * rng.choice([1 << 20, 1 << 22, 1 << 24])
    packed = pack(content)
    if rng.random() < 0.1:
        packed = pack(packed) if rng.random() < 0.5 else packed + packed
    if rng.random() < 0.7:
        packed = mutated(packed, rng, BINARY_TOKENS, [packed])
    declared = inner.format if rng.random() < 0.5 else inner.format.model_copy(update={"compression": compression})
    return Case(packed, inner.name + name, declared)


def gzip_case(rng: Random) -> Case:
    return _packed(rng, seeds.gzip_file, ".gz", "gzip")


def zstd_case(rng: Random) -> Case:
    return _packed(rng, seeds.zstd_file, ".zst", "zstd")


def zip_case(rng: Random) -> Case:
    names = [
        "a.csv",
        "b/c.csv",
        "../a.csv",
        "/etc/passwd",
        "a\\b.csv",
        "__MACOSX/._a",
        "d/",
        "é.csv",
        "x" * 300,
        "a.zip",
    ]
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])

    def pack(content: bytes) -> bytes:
        count = rng.choice([1, 1, 2, 3, 8])
        entries = {f"{number}.csv": content[: 1 << 10] for number in range(count)} if count > 3 else {}
        return seeds.zip_file(entries or dict.fromkeys([rng.choice(names) for _ in range(count)], content), method)

    return _packed(rng, pack, ".zip", "zip")


def encodings_case(rng: Random) -> Case:
    inner = rng.choice([csv_case, csv_case, jsonl_case, json_case])(rng)
    encoding = rng.choice(ENCODINGS)
    content = inner.content.decode(errors="replace").encode(encoding, errors="replace")
    declared = inner.format if rng.random() < 0.4 else inner.format.model_copy(update={"encoding": encoding})
    return Case(mutated(content, rng, CSV_TOKENS, [content]), inner.name, declared)


def _rows(rng: Random) -> list[seeds.Row]:
    return seeds.rows(rng.randrange(40), rng.choice([0, 1, 5, 30, 30, 200]))


CASES: dict[str, Callable[[Random], Case]] = {
    "csv": csv_case,
    "tsv": tsv_case,
    "jsonl": jsonl_case,
    "json": json_case,
    "parquet": parquet_case,
    "excel": excel_case,
    "gzip": gzip_case,
    "zip": zip_case,
    "zstd": zstd_case,
    "encodings": encodings_case,
}


def case(name: str, seed: int, number: int) -> Case:
    """The same for the same three, always."""
    return CASES[name](Random(f"{name} {seed} {number}"))

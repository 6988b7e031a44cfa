"""What a file is, is found in it; where it might be two things, both are told and nothing is chosen."""

import io

import polars as pl
import pytest
from records.formats import open_reader
from records.recognise.csv import MARGIN, doubt
from records.recognise.dialects import unusual
from records.recognise.recognition import recognise, to_declare
from records.recognise.trials import Candidate
from waybill_contracts import Declaration
from waybill_contracts.format import Format

NAMED = {"id": {"type": "integer"}, "name": {}, "amount": {"type": "decimal(12,2)"}}
ROWS = [("1", "Ada", "1.50"), ("2", "Bob", "2.00"), ("3", "Cem", "3.25"), ("4", "Dan", "4.75")]


def declared(columns=NAMED, **fields):
    return Declaration.model_validate({"organisation": "acme", "table": "orders", "columns": columns} | fields)


BARE = declared({})


def lines(delimiter=",", header=("id", "name", "amount"), rows=ROWS, end="\n"):
    return "".join(delimiter.join(row) + end for row in (header, *rows)).encode()


def found(data, declaration=BARE, name="orders.csv"):
    recognised = recognise(io.BytesIO(data), declaration, name)
    assert recognised.is_certain, (recognised.why, recognised.candidates)
    return recognised.format


def in_doubt(data, declaration=BARE, name="orders.csv"):
    recognised = recognise(io.BytesIO(data), declaration, name)
    assert not recognised.is_certain, recognised.format
    assert recognised.why
    assert recognised.format == recognised.candidates[0].format
    return recognised


def dialect(file_format):
    """What of it is not usual."""
    found = unusual(file_format)
    return found.model_dump(exclude_unset=True) if found else {}


PLAIN = Format(type="csv", encoding="utf-8", delimiter=",", quote='"', line_end="lf", header=True)


class Watched(io.BytesIO):
    """Knows how much of it was read."""

    taken = 0

    def read(self, size=-1):
        data = super().read(size)
        self.taken += len(data)
        return data


@pytest.mark.parametrize("declaration", [declared(), BARE])
def test_plain_csv_is_read_as_plain_csv_and_the_format_says_all_that_a_reader_needs(declaration):
    assert found(lines(), declaration) == PLAIN
    assert found(b"\xef\xbb\xbf" + lines(end="\r\n"), declaration) == PLAIN


def test_where_the_header_is_the_declared_one_only_the_beginning_of_the_file_is_looked_at_once():
    source = Watched(lines(rows=ROWS * 100_000))
    assert recognise(source, declared()).format == PLAIN
    assert source.taken <= (1 << 16) + 1


DIALECTS = {
    "semicolons": (lines(";"), {"delimiter": ";"}),
    "tabs": (lines("\t"), {"delimiter": "\t"}),
    "bars": (lines("|"), {"delimiter": "|"}),
    "carriage returns": (lines(end="\r"), {"line_end": "cr"}),
    "semicolons, decimal commas": (lines(";", rows=[("1", "A, B", "1,5"), ("2", "C, D", "2,5")]), {"delimiter": ";"}),
    "single quotes": (
        lines(header=("'id'", "'name'", "'amount'"), rows=[("'1'", "'A, B'", "'1'"), ("'2'", "'C'", "'2'")]),
        {"quote": "'"},
    ),
    "backslashes": (
        lines(rows=[(str(number), r'"the \"best\", he said"', "1") for number in range(5)]),
        {"escape": "\\"},
    ),
    "quoted line breaks": (lines(";", rows=[("1", '"a\nb;c"', "1"), ("2", "d", "2")]), {"delimiter": ";"}),
}


@pytest.mark.parametrize("case", DIALECTS)
def test_a_dialect_is_recognised_without_any_declared_column(case):
    data, expected = DIALECTS[case]
    assert dialect(found(data)) == expected


@pytest.mark.parametrize("case", [case for case in DIALECTS if case != "backslashes"])
def test_a_dialect_is_recognised_by_the_declared_names(case):
    data, expected = DIALECTS[case]
    assert dialect(found(data, declared())) == expected


def test_declared_names_settle_what_would_be_in_doubt():
    colons = lines(":", rows=[("1", "a", "2"), ("2", "b", "3")])
    assert dialect(found(colons, declared())) == {"delimiter": ":"}
    in_doubt(colons)
    preamble = b"Report of the day\nsigned; by: nobody\n\n" + lines(";")
    assert dialect(found(preamble, declared())) == {"delimiter": ";", "skip_lines": 3}
    assert in_doubt(preamble).candidates[0].format.skip_lines == 3


def test_names_by_alias_in_any_order_and_with_others_are_the_declared_names():
    aliased = declared(NAMED | {"amount": {"aliases": ["sum"]}, "note": {"optional": True}})
    data = lines(";", header=("sum", "colour", "id", "name"), rows=[("1", "red", "2", "Ada")])
    assert dialect(found(data, aliased)) == {"delimiter": ";"}


def test_columns_that_are_new_missing_or_renamed_make_no_doubt_about_the_dialect():
    for header in (("id", "title", "amount"), ("id", "name"), ("id", "name", "amount", "colour"), ("id", "x", "y")):
        rows = [("1", "a; b", "2", "red")[: len(header)], ("2", "d | e", "3", "blue")[: len(header)]]
        assert found(lines(header=header, rows=rows), declared()) == PLAIN
        assert dialect(found(lines("\t", header=header, rows=rows), declared())) == {"delimiter": "\t"}


def test_what_is_declared_is_never_overruled():
    data = lines(";")
    comma = declared({}, format={"delimiter": ",", "quote": '"'})
    assert found(data, comma).delimiter == ","
    assert found(data, declared(format={"type": "csv", "delimiter": ","}, columns={})).delimiter == ","
    as_csv = recognise(io.BytesIO(b'{"id":1}\n{"id":2}\n'), declared({}, format={"type": "csv", "delimiter": ","}))
    assert (as_csv.format.type, as_csv.format.delimiter) == ("csv", ",")
    assert found(lines(), declared(format={"encoding": "windows-1252"})).encoding == "windows-1252"
    bare = declared(format={"header": False, "delimiter": ",", "quote": '"'})
    assert found(lines(), bare).header is False


def test_a_declared_field_of_a_format_leaves_the_others_to_be_recognised():
    partly = declared({}, format={"quote": "'", "null_values": ["-"]})
    recognised = found(lines(";", rows=[("'1'", "'a;b'", "2"), ("'2'", "c", "3")]), partly)
    assert (recognised.delimiter, recognised.quote, recognised.null_values) == (";", "'", ("-",))


def test_without_a_header_the_declared_columns_say_what_separates_them():
    bare = declared(format={"header": False})
    data = lines(";", header=ROWS[0], rows=ROWS[1:])
    assert dialect(found(data, bare)) == {"delimiter": ";", "header": False}
    assert dialect(found(lines(header=ROWS[0]), bare)) == {"header": False}


AMBIGUOUS = {
    "two delimiters": lines(header=("a;b", "c;d"), rows=[("1;2", "3;4"), ("5;6", "7;8")]),
    "values for names": lines(header=ROWS[0], rows=ROWS[1:]),
    "a comment among the rows": lines(rows=[ROWS[0], ("# half of it",), ROWS[1]]),
    "a preamble": b"Orders\n" + lines(),
    "a footer": lines() + b"4 rows\n",
    "words or columns": lines(header=("first name",), rows=[("ada lovelace",), ("alan turing",)]),
    "a quote that is never closed": lines(rows=[*ROWS, ("5", '"Eve', "5.00")]),
    "quotes that enclose nothing": lines(rows=[*ROWS, ("5", 'E "the" ve', "5.00")]),
    "a header of less columns": lines(header=("id", "name")),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_in_doubt_every_way_to_read_the_file_is_told_with_what_it_gives(case):
    recognised = in_doubt(AMBIGUOUS[case])
    for candidate in recognised.candidates:
        reader = open_reader(io.BytesIO(AMBIGUOUS[case]), candidate.format)
        assert tuple(reader.header) == candidate.header
        assert len(candidate.rows) <= 3
    scores = [candidate.score for candidate in recognised.candidates]
    assert scores == sorted(scores, reverse=True)


def candidate(score, delimiter=",", faults=0):
    read_as = PLAIN.model_copy(update={"delimiter": delimiter})
    frame = pl.DataFrame({"c0": ["x"] * 9, "c1": ["y"] * 9})
    return Candidate(read_as, score, header=("a", "b"), rows=(), row_count=9, faults=faults, frame=frame)


@pytest.mark.parametrize(
    ("behind", "faults", "is_certain"), [(MARGIN, 0, True), (MARGIN - 0.001, 0, False), (0.5, 0, True), (0.5, 1, False)]
)
def test_the_best_is_certain_only_where_it_is_clearly_ahead_and_has_no_faults(behind, faults, is_certain):
    rivals = [candidate(1.0, faults=faults), candidate(1.0 - behind, ";")]
    assert (doubt(rivals, Format(), BARE) is None) == is_certain


def test_a_record_that_has_values_for_names_is_a_candidate_for_a_file_without_header():
    recognised = in_doubt(lines(header=ROWS[0], rows=ROWS[1:]), declared())
    assert recognised.format.header is False
    assert recognised.candidates[0].rows[0] == ("1", "Ada", "1.50")
    renamed = lines(header=("nr", "who", "sum"))
    assert found(renamed, declared()) == PLAIN


def test_values_are_looked_for_as_the_declaration_writes_them():
    day = {"type": "date", "format": "%d.%m.%Y"}
    rows = [("03.04.2026", "Ada"), ("-", "Bob"), ("05.04.2026", "Cy")]
    recognised = in_doubt(lines(header=rows[0], rows=rows[1:]), declared({"day": day, "name": {}}))
    assert recognised.format.header is False


def test_a_few_bytes_that_are_no_utf8_are_rows_that_are_refused_and_many_are_another_encoding():
    def names(count):
        rows = [(str(number), "Zo\xeb" if number < count else "Zoe", "1.00") for number in range(200)]
        return lines(rows=rows).decode().encode("windows-1252")

    assert found(names(3), declared()) == PLAIN
    recognised = in_doubt(names(4), declared())
    assert recognised.format.encoding == "windows-1252"
    assert {"iso-8859-15", "utf-8"} & {candidate.format.encoding for candidate in recognised.candidates}
    assert recognised.candidates[0].rows[0] == ("0", "Zoë", "1.00")
    latin = declared(format={"encoding": "iso-8859-15"})
    assert found(names(4), latin).encoding == "iso-8859-15"


@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "utf-16"), ("utf-8-sig", "utf-8"), ("utf-32", "utf-32")])
def test_a_byte_order_mark_tells_the_encoding_whatever_is_declared(encoding, name):
    data = lines(";").decode().encode(encoding)
    for declaration in (declared(), BARE, declared(format={"encoding": "windows-1252"})):
        recognised = found(data, declaration)
        assert (recognised.encoding, recognised.delimiter) == (name, ";")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_in_doubt(encoding):
    recognised = in_doubt(lines(";").decode().encode(encoding), declared())
    assert (recognised.format.encoding, recognised.format.delimiter) == (encoding, ";")
    assert recognised.candidates[0].header == ("id", "name", "amount")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'{"id": 1}\n{"id": 2}\n', "jsonl"),
        (b'\n {"id": 1}', "jsonl"),
        (b'[{"id": 1},\n {"id": 2}]', "json"),
        (b'[\n  {\n    "id": 1\n  }\n]\n', "json"),
        (b"[]\n", "json"),
        (b'{"id": "' + b"x" * 100_000 + b'"}\n', "jsonl"),
        (b"PAR1\x15\x04\x15\xff\xd7\0PAR1", "parquet"),
    ],
)
def test_other_formats_are_recognised_by_their_content_whatever_the_file_is_called(data, kind):
    for name in ("a.csv", "a.json", "a"):
        assert found(data, name=name).type == kind


def test_a_workbook_that_is_old_or_has_a_password_is_left_to_its_reader_which_says_so():
    assert found(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), name="a.xls").type == "excel"


def test_what_begins_like_json_and_is_none_is_in_doubt_unless_its_name_tells():
    data = b"{id},name\n{1},Ada\n{2},Bob\n"
    assert {candidate.format.type for candidate in in_doubt(data, name="a").candidates} == {"csv", "jsonl"}
    assert found(data, name="a.jsonl").type == "jsonl"
    assert found(data, name="a.csv").type == "csv"
    assert found(data, declared({"id": {}, "name": {}}), name="a").type == "csv"


def test_what_has_no_header_is_left_to_the_reader_to_refuse():
    for data in (b"", b"\n\n", b"a,A\n1,2\n"):
        for declaration in (BARE, declared()):
            assert found(data, declaration).delimiter == ","


@pytest.mark.parametrize("declaration", [BARE, declared()])
@pytest.mark.parametrize("case", [*AMBIGUOUS, "latin"])
def test_a_candidate_that_is_declared_is_certain_from_then_on(case, declaration):
    data = AMBIGUOUS.get(case) or lines(rows=[("1", "Zoë", "2.00")] * 9).decode().encode("windows-1252")
    recognised = recognise(io.BytesIO(data), declaration, "orders.csv")
    for candidate in recognised.candidates:
        chosen = to_declare(candidate, recognised.candidates)
        decided = declaration.model_copy(update={"format": Format.model_validate_json(chosen.model_dump_json())})
        again = found(data, decided)
        first, second = (open_reader(io.BytesIO(data), each) for each in (candidate.format, again))
        assert first.header == second.header
        assert dialect(again) == dialect(candidate.format)


def test_a_header_that_has_none_of_the_declared_names_is_a_matter_of_columns_and_not_of_dialect():
    for data in (b"neither,this,nor that\n", b"neither,this,nor that\n1 2,b c,3 4\n5 6,d e,7 8\n"):
        assert found(data, declared()) == PLAIN


def test_faulty_last_rows_are_no_footer_where_the_columns_are_known():
    rows = [*ROWS, ("5", "Eva")]
    assert found(lines(rows=rows), declared()) == PLAIN
    assert found(lines(header=("id", "title", "amount"), rows=rows), declared()) == PLAIN
    assert in_doubt(lines(rows=rows)).format.footer_lines == 1


def test_texts_that_end_with_a_backslash_and_names_with_odd_signs_make_no_doubt_of_plain_csv():
    odd = declared({"id": {}, "robert_drop": {}, "s": {}})
    data = b'id,"Robert\'); DROP;--",%s\n1,C:\\,x\n2,"D:\\",y\n3\n'
    assert found(data, odd) == PLAIN

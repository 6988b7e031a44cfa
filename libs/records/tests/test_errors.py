from records.errors import MAX_CHARACTERS, FileFault


def test_a_message_is_cut_where_a_file_has_names_that_nobody_reads() -> None:
    assert FileFault("bad_archive", "x" * MAX_CHARACTERS).message == "x" * MAX_CHARACTERS
    fault = FileFault("bad_archive", f"what is called {'x' * 70_000!r} is damaged")
    assert len(fault.message) == MAX_CHARACTERS
    assert fault.message.endswith("x…")
    assert str(fault) == fault.message

"""What stands in the cache under its name is whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stack import fetch_kafka
from stack.cache import keep
from stack.errors import StackError

HALF = """
import sys, time
from pathlib import Path
from stack.cache import keep

def make(into):
    (into / "part").write_text("half")
    print("half", flush=True)
    time.sleep(60)

keep(Path(sys.argv[1]), "server-1.0", make)
"""


def _make_whole(into: Path) -> None:
    (into / "part").write_text("whole")


def test_a_killed_download_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HALF, str(tmp_path)], stdout=subprocess.PIPE) as download:
        assert download.stdout is not None
        assert download.stdout.readline() == b"half\n"
        os.kill(download.pid, signal.SIGKILL)
    assert not (tmp_path / "server-1.0").exists()

    folder = keep(tmp_path, "server-1.0", _make_whole)

    assert (folder / "part").read_text() == "whole"
    assert {path.name for path in tmp_path.iterdir()} == {"server-1.0", ".server-1.0.lock"}


def test_a_failed_download_leaves_nothing(tmp_path: Path) -> None:
    def fail(into: Path) -> None:
        (into / "part").write_text("half")
        raise StackError("the index does not answer")

    with pytest.raises(StackError):
        keep(tmp_path, "server-1.0", fail)
    assert {path.name for path in tmp_path.iterdir()} == {".server-1.0.lock"}


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    keep(tmp_path, "server-1.0", _make_whole)
    keep(tmp_path, "server-1.0", lambda into: pytest.fail("made twice"))


def test_a_jar_altered_missing_or_added_is_named(tmp_path: Path) -> None:
    expected = "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5"  # of "same"
    for name, content in (("good.jar", "same"), ("altered.jar", "other"), ("added.jar", "x")):
        (tmp_path / name).write_text(content)
    listed = "".join(f"{expected}  {name}.jar\n" for name in ("good", "altered", "missing"))

    with pytest.raises(StackError, match=r"added\.jar, altered\.jar, missing\.jar$"):
        fetch_kafka.check(tmp_path, listed)

"""The list of commands is made without importing them, and says what they say themselves."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner
from waybill.main import COMMANDS, app, load_command

HEAVY = ("polars", "asyncpg", "pymongo", "aiokafka", "faststream", "aiobotocore", "pydantic_settings", "psutil")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_loaded_and_helps(name: str) -> None:
    assert load_command(name).help
    result = CliRunner().invoke(app, [name, "--help"])
    assert (result.exit_code, "Usage" in result.stdout) == (0, True)


def test_help_imports_no_driver_and_no_service() -> None:
    script = "import sys; from typer.testing import CliRunner; from waybill.main import app; "
    script += "assert CliRunner().invoke(app, ['--help']).exit_code == 0; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "waybill.main" in loaded
    assert not loaded & {*HEAVY, "registry", "ingestor", "loader", "chassis"}


@pytest.mark.parametrize("words", [["nonsense"], ["file", "nonsense"], ["file", "put"], ["run", "postman"], []])
def test_wrong_use_ends_with_2(words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 2


def test_a_typing_error_is_answered_with_the_command_that_was_meant() -> None:
    assert "file" in CliRunner().invoke(app, ["fiel"]).stderr

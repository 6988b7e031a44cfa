"""One folder of fetched programs; whatever stands in it under its name is whole."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Where fetched programs are kept: WAYBILL_CACHE, or `waybill` in the user's cache folder."""
    chosen = os.environ.get("WAYBILL_CACHE")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "waybill"


def keep(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name`, made once: written aside, then renamed, so an interruption leaves nothing by that name."""
    target = cache / name
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with locked(cache / f".{name}.lock"):
        if not target.exists():
            _remove_leftovers(cache, name)
            aside = Path(tempfile.mkdtemp(prefix=f".{name}.aside-", dir=cache))
            aside.chmod(0o755)
            try:
                make(aside)
                aside.rename(target)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
    return target


def _remove_leftovers(cache: Path, name: str) -> None:
    for leftover in cache.glob(f".{name}.aside-*"):
        shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time is inside; the others wait."""
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

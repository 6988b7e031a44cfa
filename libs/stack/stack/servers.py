"""The four servers as one stack: started in parallel, watched, stopped together, leaving nothing behind."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import psutil

from stack import kafka, minio, mongo, postgres
from stack.environment import environment, write_environment
from stack.errors import StackError
from stack.ports import Ports, free_ports, require_free
from stack.processes import stop_all, wait_until_one_dies
from stack.server import Server, died
from stack.usage import Usage

if TYPE_CHECKING:
    from stack.fetch import Programs

SERVERS = ("kafka", "minio", "mongodb", "postgresql")
STATE_FILE = "stack.json"


class Stack:
    """Real Kafka, MinIO, MongoDB and PostgreSQL on one data folder; all end when this process ends."""

    def __init__(
        self,
        folder: Path,
        *,
        ports: Ports | None = None,
        programs: "Programs | None" = None,
        log: Callable[[str], None] = lambda line: None,
        queue_notifications: bool = False,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.ports = ports or free_ports()
        self._programs = programs
        self._log = log
        self._queue_notifications = queue_notifications
        self._lock: IO[str] | None = None
        self.servers: dict[str, Server] = {}

    def start(self) -> "Stack":
        """Starts all servers and returns when all answer; if one cannot, none is left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_folder()
        try:
            require_free(self.ports)
            self._make_servers()
            self._start_servers()
            self._write_state()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stops all servers and gives the folder free; the data stays."""
        stop_all(list(self.servers.values()))
        (self.folder / STATE_FILE).unlink(missing_ok=True)
        if self._lock:
            self._lock.close()
            self._lock = None

    def server(self, name: str) -> Server:
        """One server, to be taken away and brought back."""
        if name not in self.servers:
            raise StackError(f"no server {name!r} runs here; there are: {', '.join(self.servers) or 'none'}")
        return self.servers[name]

    def watch(self) -> None:
        """Blocks until a server ends by itself, and then raises with its name and the end of its log."""
        raise died(wait_until_one_dies(list(self.servers.values())))

    def check(self) -> None:
        """Raises with name and end of the log if a server has ended by itself."""
        for server in self.servers.values():
            if server.wanted and not server.is_running:
                raise died(server)

    def environment(self, namespace: str = "waybill", bucket: str | None = None) -> dict[str, str]:
        """What a service of this namespace needs in its environment to use this stack."""
        return environment(self.ports, namespace, bucket)

    def write_environment(self, path: Path, namespace: str = "waybill", bucket: str | None = None) -> None:
        """The same as a file of NAME=value lines."""
        write_environment(path, self.environment(namespace, bucket))

    def memory(self) -> dict[str, int]:
        """Resident bytes of each server with its children."""
        return {name: usage.memory_bytes for name, usage in self.usage().items()}

    def usage(self) -> dict[str, Usage]:
        """CPU seconds and memory of each server with its children."""
        return {name: server.usage() for name, server in self.servers.items()}

    def __enter__(self) -> "Stack":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _make_servers(self) -> None:
        programs = self._programs or _fetched()
        made = [
            kafka.server(programs, self.folder, self.ports),
            minio.server(programs, self.folder, self.ports, self._queue_notifications),
            mongo.server(programs, self.folder, self.ports),
            postgres.server(programs, self.folder, self.ports),
        ]
        self.servers = {server.name: server for server in made}

    def _start_servers(self) -> None:
        pool = ThreadPoolExecutor(len(self.servers))
        try:
            list(pool.map(self._start_server, self.servers.values()))
        except BaseException:
            stop_all(list(self.servers.values()))  # so that none is waited for
            raise
        finally:
            pool.shutdown()

    def _start_server(self, server: Server) -> None:
        server.start()
        self._log(f"{server.name} is ready")

    def _take_folder(self) -> None:
        # The lock ends with this process, however it ends.
        self._lock = lock = _lock_folder(self.folder)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()

    def _write_state(self) -> None:
        state = {"pid": os.getpid(), "ports": asdict(self.ports)}
        state["servers"] = {name: {"pid": s.pid, "log": str(s.log)} for name, s in self.servers.items()}
        aside = self.folder / f".{STATE_FILE}"
        aside.write_text(json.dumps(state))
        aside.rename(self.folder / STATE_FILE)


def _fetched() -> "Programs":
    # Slow to import, and not needed by those who only ask what runs.
    from stack.fetch import fetch

    return fetch()


def _lock_folder(folder: Path) -> IO[str]:
    lock = (folder / "stack.lock").open("a+")
    # Several tries, since `holder` of another process may be looking just now.
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError:
            time.sleep(0.05)
    lock.seek(0)
    pid = lock.read().strip()
    lock.close()
    raise StackError(f"{folder} is in use by another stack (process {pid})")


def erase(folder: Path) -> None:
    """Deletes the servers' data and logs of a stack that does not run; what else lies in the folder stays."""
    pid = holder(folder)
    if pid is not None:
        raise StackError(f"{folder} is in use by a stack (process {pid}): stop it first")
    for name in (*SERVERS, "minio-queue", "namespaces", "logs"):
        shutil.rmtree(folder / name, ignore_errors=True)


def holder(folder: Path) -> int | None:
    """The process that runs a stack on this folder; None when none does."""
    path = folder / "stack.lock"
    if not path.exists():
        return None
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return int(lock.read() or 0)
    return None


def status(folder: Path) -> dict[str, Any]:
    """Whether a stack runs on this folder, since when its servers are ready, and which of them are alive."""
    state = folder / STATE_FILE
    pid = holder(folder)
    if pid is None or not state.exists():
        return {"running": pid is not None, "ready": False, "pid": pid, "servers": {}}
    known = json.loads(state.read_text())
    if known["pid"] != pid:  # left by a stack that was killed; the one that runs now is still starting
        return {"running": True, "ready": False, "pid": pid, "servers": {}}
    ports: dict[str, int] = known["ports"]
    servers = {
        name: {**server, "port": ports[name], "alive": psutil.pid_exists(server["pid"])}
        for name, server in known["servers"].items()
    }
    return {"running": True, "ready": True, "pid": pid, "servers": servers}

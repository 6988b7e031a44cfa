"""Which ports the servers listen on: fixed ones for people, free ones for tests."""

import os
import random
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import psutil

from stack.cache import locked
from stack.errors import StackError


@dataclass(frozen=True)
class Ports:
    """A port for each listener, all on the loopback address."""

    kafka: int = 8411
    kafka_controller: int = 8412
    minio: int = 8413
    mongodb: int = 8414
    postgresql: int = 8415


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """For who takes the fixed ports: until somebody listens on one, it looks free to all who start."""
    with locked(Path(tempfile.gettempdir()) / f"waybill-{os.getuid()}.lock"):
        yield


def free_ports() -> Ports:
    """Ports nobody listens on, outside the range from which clients get theirs.

    (A client that keeps trying a port of that range while its server is down can end up connected to itself.)
    """
    highest = _first_ephemeral() - 1
    found: list[int] = []
    while len(found) < len(astuple(Ports())):
        port = random.randint(min(20_000, highest - 10_000), highest)
        if port not in found and is_free(port):
            found.append(port)
    return Ports(*found)


def avoiding_taken(ports: Ports) -> tuple[Ports, list[str]]:
    """The same ports where they are free, others next to them where not, and a line for each that was moved."""
    moved: list[str] = []
    chosen: dict[str, int] = {}
    for server, port in asdict(ports).items():
        free = port
        while not is_free(free) or free in chosen.values():
            free += 10
        if free != port:
            moved.append(f"{server}: port {port} is taken{by_whom(port)}, so it listens on {free}")
        chosen[server] = free
    return Ports(**chosen), moved


def require_free(ports: Ports) -> None:
    """Raises with the name of every port that is taken, and by whom."""
    taken = [f"{server}: port {port} is taken{by_whom(port)}" for server, port in _taken(asdict(ports).items())]
    if taken:
        raise StackError("; ".join(taken))


def is_free(port: int) -> bool:
    """True when a server could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """True when somebody accepts connections on this port of the loopback address."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def by_whom(port: int) -> str:
    """` by NAME (process PID)` as far as this user may know, else nothing."""
    try:
        listening = (c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.pid)
        pid = next((c.pid for c in listening if c.status == psutil.CONN_LISTEN), None)
        return f" by {psutil.Process(pid).name()} (process {pid})" if pid else ""
    except psutil.Error:
        return ""


def _taken(ports: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return [(server, port) for server, port in ports if not is_free(port)]


def _first_ephemeral() -> int:
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

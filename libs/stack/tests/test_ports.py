"""Ports: taken ones are avoided or named."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path

import psutil
import pytest
from stack.errors import StackError
from stack.ports import avoiding_taken, free_ports, require_free
from stack.servers import Stack


@contextmanager
def _listening(port: int) -> Iterator[None]:
    with socket.socket() as taker:
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taker.bind(("127.0.0.1", port))
        taker.listen()
        yield


def test_a_taken_port_is_avoided_and_the_move_is_told() -> None:
    wanted = free_ports()
    with _listening(wanted.minio):
        ports, moved = avoiding_taken(wanted)

    assert ports.minio != wanted.minio
    assert replace(ports, minio=wanted.minio) == wanted
    assert len(moved) == 1
    assert moved[0].startswith(
        f"minio: port {wanted.minio} is taken by {psutil.Process().name()} (process {os.getpid()})"
    )
    require_free(ports)


def test_a_stack_told_to_use_a_taken_port_names_it_and_starts_nothing(tmp_path: Path) -> None:
    ports = free_ports()
    with _listening(ports.postgresql), pytest.raises(StackError, match=f"postgresql: port {ports.postgresql} is taken"):
        Stack(tmp_path, ports=ports).start()
    assert not (tmp_path / "logs").exists()


def test_free_ports_are_distinct_and_below_the_range_that_clients_get_theirs_from() -> None:
    lowest_client_port = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = astuple(free_ports())
    assert len(set(ports)) == len(ports)
    assert max(ports) < lowest_client_port

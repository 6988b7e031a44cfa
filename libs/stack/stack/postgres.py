"""PostgreSQL with its own defaults, but more connections."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from stack.errors import StackError
from stack.ports import Ports
from stack.processes import LAUNCH
from stack.server import Server

if TYPE_CHECKING:
    from stack.fetch import Programs

USER, PASSWORD, DATABASE = "waybill", "waybill-local", "waybill"
MAX_CONNECTIONS = 300
NOBODY = 65_534


def server(programs: "Programs", folder: Path, ports: Ports) -> Server:
    """PostgreSQL with its data in `folder`/postgresql; as another user when we are root, which it refuses to be."""
    data = folder / "postgresql"
    user_id = NOBODY if os.geteuid() == 0 else None
    settings = {
        "port": ports.postgresql,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": MAX_CONNECTIONS,
    }
    command = [str(programs.postgres / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return Server(
        "postgresql",
        command,
        folder / "logs/postgresql.log",
        folder=folder,
        user_id=user_id,
        stop_signal=signal.SIGINT,  # fast: open transactions are rolled back, sessions are ended
        prepare=lambda: _prepare(programs.postgres / "initdb", data, user_id),
        answers=lambda: asyncio.run(_answers(ports.postgresql)),
    )


def dsn(port: int, database: str = DATABASE) -> str:
    """How clients reach it."""
    return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}"


def _prepare(initdb: Path, data: Path, user_id: int | None) -> None:
    if data.exists():
        return
    aside, password = data.with_suffix(".aside"), data.with_suffix(".password")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True, mode=0o700)
    password.write_text(PASSWORD)
    if user_id is not None:
        os.chown(aside, user_id, user_id)
    command = [str(initdb), "-D", str(aside), "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256"]
    command += ["--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"]
    user = "" if user_id is None else str(user_id)
    launch = [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), user, *command]
    done = subprocess.run(launch, capture_output=True, text=True, check=False, cwd=data.parent)
    password.unlink()
    if done.returncode:
        raise StackError(f"postgresql: its data folder could not be made\n{done.stdout}{done.stderr}")
    aside.rename(data)


async def _answers(port: int) -> bool:
    try:
        connection = await asyncpg.connect(dsn(port, "postgres"), timeout=2)
    except (asyncpg.PostgresError, TimeoutError):
        return False
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute("CREATE DATABASE waybill")
        return True
    finally:
        await connection.close()

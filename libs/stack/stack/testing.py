"""pytest fixtures: one stack of real servers a session, one namespace of it a test.

WAYBILL_TEST_STACK=FILE reuses the running stack that wrote this environment file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# What the fixtures need is imported by them: this plugin is loaded with every pytest, also one that needs no server.
if TYPE_CHECKING:
    from stack.namespaces import Namespace, Reachable
    from stack.processes import Process
    from stack.servers import Stack

NEEDS_SERVERS = {"stack", "own_stack", "namespace", "module_namespace"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that use real servers are marked `stack`."""
    for item in items:
        if NEEDS_SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.stack)


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reachable]:
    """The stack that all tests of the session share; nobody may take its servers away."""
    from stack.namespaces import RunningStack

    running = os.environ.get("WAYBILL_TEST_STACK")
    if running:
        yield RunningStack(Path(running))
        return
    with _started(request, tmp_path_factory) as own:
        yield own
        own.check()


@pytest.fixture(scope="module")
def own_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack for this module alone, whose servers may be killed, paused and brought back."""
    with _started(request, tmp_path_factory) as own:
        yield own


@pytest.fixture
def namespace(stack: Reachable) -> Iterator[Namespace]:
    """A namespace for this test alone."""
    from stack.namespaces import claimed

    with claimed(stack) as mine:
        yield mine


@pytest.fixture(scope="module")
def module_namespace(stack: Reachable) -> Iterator[Namespace]:
    """A namespace for the tests of this module."""
    from stack.namespaces import claimed

    with claimed(stack) as mine:
        yield mine


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """A list for the processes a test starts, ended after it; to be asked for after the namespace they use."""
    from stack.processes import stop_all

    started: list[Process] = []
    yield started
    stop_all(started)


@contextmanager
def _started(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    from stack.fetch import fetch
    from stack.progress import shown
    from stack.servers import Stack

    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), shown() as progress:
        programs = fetch(progress)
    folder = tmp_path_factory.mktemp("stack")
    try:
        with Stack(folder, programs=programs) as started:
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)

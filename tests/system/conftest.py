"""Real servers; the services run as processes, in a namespace of one test, or of a module where starts would add up."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stack.namespaces import Namespace

sys.path.insert(0, str(Path(__file__).parent))
# They assert for the tests, and are to say as much.
pytest.register_assert_rewrite("checker", "dataset")

from installation import Installation  # noqa: E402


@pytest.fixture
async def installation(namespace: Namespace, tmp_path: Path) -> AsyncIterator[Installation]:
    """An installation with nothing started; what a test starts is stopped after it."""
    async with Installation(namespace.environment, tmp_path) as mine:
        yield mine


@pytest.fixture(scope="module")
async def running(module_namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An installation for this module, with one of each service running; each test has its own datasets."""
    async with Installation(module_namespace.environment, tmp_path_factory.mktemp("installation")) as mine:
        await mine.start()
        yield mine

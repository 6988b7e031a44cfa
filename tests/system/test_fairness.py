"""A large file of one organisation makes nobody else wait."""

import time

import pytest
from dataset import Dataset, rows
from installation import Installation, until

ROWS = 1_000_000
SMALL_FILES = 10
AT_MOST_SECONDS = 3.0

pytestmark = pytest.mark.timeout(300)


async def test_a_file_of_a_million_rows_in_work_leaves_small_files_of_others_their_three_seconds(
    running: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    large, small = await Dataset.declared(running, "acme"), await Dataset.declared(running, "globex")
    await small.deliver(rows("0,first,0.00"))
    await large.drop(rows(*(f"{number},name {number},{number % 90_000}.25" for number in range(ROWS))))

    async def is_in_work() -> bool:
        return bool(
            await running.rows("ingestor", "SELECT 1 FROM jobs WHERE lane = $1 AND state = 'RUNNING'", large.name)
        )

    await until(is_in_work, 30, "the large file is not in work")
    seconds = []
    for number in range(SMALL_FILES):
        started = time.monotonic()
        await small.deliver(rows(f"{number},small,{number}.00"))
        seconds.append(time.monotonic() - started)
        (file,) = await running.files(large.name)
        assert file["state"] != "LOADED" or number > SMALL_FILES // 2, "the large file was done too early to tell"
    with capsys.disabled():
        print(f"\nsmall files beside a large one: {', '.join(f'{each:.2f}' for each in sorted(seconds))} s")
    # The second slowest of ten.
    assert sorted(seconds)[-2] <= AT_MOST_SECONDS
    await small.check()
    await large.settle(240)
    (file,) = await running.files(large.name)
    assert (file["state"], file["balanced"]) == ("LOADED", True)

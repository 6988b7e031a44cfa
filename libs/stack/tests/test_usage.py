"""Usage: what a process tree takes, and its highest."""

import sys
import time
from pathlib import Path

from stack.processes import Process
from stack.usage import Meter, usage

TAKE_100_MB_AND_A_SECOND = """
import time
taken = bytearray(100 << 20)
for place in range(0, len(taken), 4096): taken[place] = 1
while time.process_time() < 0.5: pass
del taken
print("done", flush=True)
time.sleep(60)
"""


def test_a_meter_sees_cpu_and_the_highest_memory_also_after_it_was_given_back(tmp_path: Path) -> None:
    process = Process("taker", [sys.executable, "-c", TAKE_100_MB_AND_A_SECOND], tmp_path / "taker.log")
    process.start()
    with Meter({"taker": process.pid}, every_seconds=0.05) as meter:
        while "done" not in process.log_end():
            time.sleep(0.02)
    now = process.usage()
    process.stop()
    assert 100 << 20 <= meter.peak_bytes["taker"] < 150 << 20
    assert now.memory_bytes < 50 << 20
    assert 0.3 < meter.cpu_seconds["taker"] < 1.5
    assert meter.seconds > 0
    assert usage(process.pid).processes == 0

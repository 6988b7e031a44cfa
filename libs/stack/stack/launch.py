"""Becomes another program that dies with its parent and is not root; run as a script, so it imports nothing of ours.

python launch.py PARENT_PID USER_ID PROGRAM [ARGUMENT...]     (USER_ID empty: stay who we are)
"""

import ctypes
import os
import signal
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_SECUREBITS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 28, 47, 2
NO_SETUID_FIXUP = 1 << 2  # keeps rights over a change of user, and access(2) honest about them
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION = 0x20080522


def _leave_root(libc: ctypes.CDLL, user_id: int) -> None:
    libc.prctl(PR_SET_SECUREBITS, NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user_id, user_id, user_id)
    os.setresuid(user_id, user_id, user_id)
    # The programs and the data may lie below a folder that only root may enter (its home), so this one right is kept;
    # where it cannot be, the program still runs, given a path that everybody may enter.
    held = 1 << CAP_DAC_OVERRIDE
    header, rights = struct.pack("Ii", CAPABILITY_VERSION, 0), struct.pack("6I", held, held, held, 0, 0, 0)
    if libc.capset(header, rights) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def main(parent: int, user_id: str, command: list[str]) -> None:
    """Replaces this process by the command."""
    libc = ctypes.CDLL(None)
    if user_id:
        _leave_root(libc, int(user_id))
    # After the change of user, which would clear it. SIGKILL, since a stopped process heeds nothing else.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent ended before the start")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])

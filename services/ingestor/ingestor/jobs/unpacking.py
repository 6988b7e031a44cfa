"""Archives become their entries, and it is known how much there is to read."""

from chassis.telemetry import log

from ingestor.files.parts import expand
from ingestor.jobs import attempt as sizes
from ingestor.jobs.attempt import Attempt
from ingestor.jobs.threads import beside


async def unpack(attempt: Attempt) -> None:
    """Each entry of an archive is a part of its own from now on; nothing that is packed is packed in it again."""
    for part in attempt.parts:
        part.look()
    is_plain = all(part.packed == "none" for part in attempt.parts) and len(attempt.parts) <= sizes.SMALL_PARTS
    await beside(is_plain, _expand, attempt)


def _expand(attempt: Attempt) -> None:
    expanded, passed_over = expand(attempt.parts, attempt.file.file_id)
    attempt.parts[:] = expanded
    for part in attempt.parts:
        part.measure(sizes.SMALL_BYTES)
    for key, names in passed_over.items():
        if names:
            log.info("passed over in an archive", file_id=str(attempt.file.file_id), key=key, entries=names[:20])

"""How the command finds an installation: the environment, else the nearest `.waybill/stack.env`."""

import os
from pathlib import Path

from chassis.settings import Settings, load
from stack.environment import read_environment
from stack.servers import holder

from waybill.output import Unreachable

FOLDER = Path(".waybill")
FILE = "stack.env"


class CliSettings(Settings):
    """What the command needs to read the stores and to publish requests."""

    requires = ("mongo", "s3")


def settings() -> CliSettings:
    """The installation's settings; those of the environment win over the file's."""
    use_stack_environment()
    return load(CliSettings)


def use_stack_environment() -> None:
    """Take over what the nearest stack.env says and the environment does not; refused where nothing runs."""
    folder = nearest_folder()
    # What is left of a stack that ended is not used: by now, another installation may listen on its ports.
    if folder and holder(folder) is not None:
        for name, value in read_environment(folder / FILE).items():
            os.environ.setdefault(name, value)
    elif not any(name.startswith("WAYBILL_") and "__" in name for name in os.environ):
        raise Unreachable(how_to_start() if folder else "no installation is known here; start one: waybill up")


def nearest_folder() -> Path | None:
    """`.waybill` here or in a folder above, where a stack was started."""
    here = Path.cwd()
    return next(
        (found for each in (here, *here.parents) if (found := each / FOLDER) and (found / FILE).is_file()), None
    )


def home() -> Path:
    """The folder of the installation that is meant here; one that is still to be made lies in this folder."""
    return nearest_folder() or FOLDER.absolute()


def is_local() -> bool:
    """Whether the settings, once they are taken over, mean the installation that runs here, and no other."""
    folder = nearest_folder()
    if folder is None or holder(folder) is None:
        return False
    return all(os.environ.get(name) == value for name, value in read_environment(folder / FILE).items())


def how_to_start() -> str:
    """What to do where a server does not answer."""
    folder = nearest_folder()
    if folder is None:
        return "start it, or mend the setting"
    if holder(folder) is None:
        return f"nothing runs in {folder}; start it: waybill up; what ended it: waybill logs supervisor"
    return f"its stack in {folder} runs, but not well; see: waybill logs"

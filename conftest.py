"""What holds for every test of the workspace."""

import os

from hypothesis import settings

# A busy machine makes a single example slow without any fault of ours; pytest-timeout ends what hangs.
# In CI the examples are the same every time: what lands does not hang on luck; new ones are found at every run by hand.
settings.register_profile("house", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")

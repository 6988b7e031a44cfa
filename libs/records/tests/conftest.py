from hypothesis import settings

# A busy machine is no fault of the code: promises about time have tests of their own.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

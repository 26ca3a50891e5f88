"""Property tests try the same examples every time; a busy machine does not make them fail."""

from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

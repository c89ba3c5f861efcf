"""How the property tests search: the same examples each run, so that a commit passes or fails for itself.

``scripts/test --hypothesis-profile=search`` draws new examples instead, and more of them.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=500, deadline=None)
settings.load_profile("same")

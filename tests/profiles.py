"""Hypothesis without a clock, for a busy machine is no failure; HYPOTHESIS_PROFILE=soak looks longer.

CI tries the same examples each time, so that a change fails by what it changed; new ones are tried by
everyone who runs the tests, and by ``make soak``.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None)
settings.register_profile("soak", settings.get_profile("default"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

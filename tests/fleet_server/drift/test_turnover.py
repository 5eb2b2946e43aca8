"""As many changes as come and go are no evidence; more are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server.drift.turnover import log_evidence


@given(
    devices=st.integers(1, 60),
    turnover=st.sampled_from([0.001, 0.01, 0.1, 0.5, 0.8]),
    part=st.floats(0, 1),
)
def test_the_ratio_expects_at_most_one_under_any_turnover_up_to_the_allowed(
    devices: int, turnover: float, part: float
) -> None:
    share = part * turnover
    expected = sum(
        math.comb(devices, k)
        * share**k
        * (1 - share) ** (devices - k)
        * math.exp(log_evidence(k, devices, turnover))
        for k in range(devices + 1)
    )
    assert expected <= 1 + 1e-9


def test_evidence_grows_with_the_changes_and_not_without() -> None:
    assert log_evidence(0, 50, 0.01) < 0
    grown = [log_evidence(k, 22, 0.01) for k in range(23)]
    assert grown == sorted(grown)
    assert log_evidence(9, 22, 0.01) > math.log(1e6)
    assert log_evidence(1, 2, 0.01) == pytest.approx(math.log(19), abs=0.5)

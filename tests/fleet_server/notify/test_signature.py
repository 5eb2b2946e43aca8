"""The signature of webhooks is that of the Standard Webhooks specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_server.notify import signature
from fleet_server.notify.backoff import delay_s
from wire.errors import InputError


def test_the_specifications_own_example_is_signed_as_it_says() -> None:
    key = signature.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature.headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("bad", ["", "short", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ="])
def test_threat_a_secret_that_can_be_guessed_is_refused_and_not_repeated(bad: str) -> None:
    with pytest.raises(InputError) as caught:
        signature.key_of(bad)
    assert not bad or bad not in str(caught.value) or bad == "whsec_"


@given(st.integers(0, 5000), st.floats(0.01, 100), st.floats(0.01, 1000), st.floats(0, 1))
def test_rests_grow_and_stay_within_the_longest(
    failures: int, first: float, most: float, luck: float
) -> None:
    rest = delay_s(failures, first, most, luck)
    assert 0 <= rest <= most
    assert rest >= delay_s(failures - 1, first, most, luck)
    assert rest >= 0.75 * min(first, most) * bool(failures)

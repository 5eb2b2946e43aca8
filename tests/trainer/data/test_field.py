"""Field samples extend a data set, and are nobody who is held out."""

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.data.test_dataset import BASE
from trainer.data.field import FieldSample, extend
from wire.errors import InputError

SAMPLE = FieldSample(np.full((5, 1), 2.5, np.float32), 1, "mcu-1", 17)


def test_the_next_version_holds_the_old_recordings_and_the_samples() -> None:
    more = extend(BASE, [SAMPLE], "fleet-1")
    assert more.recordings[:2] == BASE.recordings
    assert (more.recordings[2].group, more.recordings[2].label) == ("field/mcu-1", 1)
    assert more.digest != BASE.digest
    assert extend(BASE, [SAMPLE], "other").digest == more.digest, "by content"
    assert (more.sources[-1].kind, more.sources[-1].files[0].path) == ("fleet", "mcu-1/17")


@pytest.mark.parametrize(
    "bad", [SAMPLE._replace(label=2), SAMPLE._replace(window=np.zeros((5, 2), np.float32))]
)
def test_a_sample_of_another_kind_is_refused_by_its_number(bad: FieldSample) -> None:
    with pytest.raises(InputError, match="sample 17 has"):
        extend(BASE, [bad], "fleet-1")
    assert replace(BASE) == BASE

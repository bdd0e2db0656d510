import pytest

from services.audio.domain import SpeakerTurn
from tests.doubles.diarization_error import diarization_error_rate

TRUTH = [SpeakerTurn(0, 4, 0), SpeakerTurn(5, 9, 1)]


@pytest.mark.parametrize(
    ("heard", "error"),
    [
        (TRUTH, 0),
        ([SpeakerTurn(0, 4, 7), SpeakerTurn(5, 9, 3)], 0),
        ([SpeakerTurn(0, 9, 0)], 5 / 8),
        ([SpeakerTurn(0, 4, 0)], 4 / 8),
        ([*TRUTH, SpeakerTurn(9, 11, 2)], 2 / 8),
        ([], 1),
    ],
)
def test_what_is_missed_made_up_or_mixed_up_counts_by_its_time(heard, error):
    assert diarization_error_rate(TRUTH, heard, collar=0) == pytest.approx(error)


def test_near_to_a_true_change_nothing_counts():
    late = [SpeakerTurn(0.2, 4.2, 0), SpeakerTurn(5.2, 9, 1)]
    assert diarization_error_rate(TRUTH, late) == 0
    assert diarization_error_rate(TRUTH, late, collar=0) > 0

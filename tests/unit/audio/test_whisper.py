import pytest

from services.audio.adapters.whisper import WhisperTranscriber
from services.chassis.config import ConfigError
from services.chassis.errors import Unavailable

FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")


def ears(folder):
    return WhisperTranscriber(folder, device="cpu", compute_type="int8", threads=1)


def test_a_folder_that_is_not_there_is_named_with_the_remedy(tmp_path):
    with pytest.raises(ConfigError) as wrong:
        ears(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(wrong.value)
    assert "sensorium models ensure whisper-base" in str(wrong.value)


@pytest.mark.parametrize("missing", FILES)
def test_a_folder_that_misses_a_file_is_refused_before_a_hub_could_be_asked(tmp_path, missing):
    for name in set(FILES) - {missing}:
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=missing.partition(".")[0]):
        ears(tmp_path)


def test_files_that_are_no_model_cannot_be_loaded(tmp_path):
    for name in FILES:
        (tmp_path / name).write_text("{}")
    with pytest.raises(Unavailable, match="cannot be loaded"):
        ears(tmp_path).load()

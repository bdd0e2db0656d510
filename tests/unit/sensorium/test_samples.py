import io

from PIL import Image

from models.aisle.world import HEIGHT, WIDTH, scene_from_caption
from models.samples.aisle import make
from sensorium.demo import samples


def test_the_task_goes_on_in_exactly_the_frames_between_start_and_end():
    task = samples.task()
    assert len(task.frames) >= 30
    going = [
        index
        for index, frame in enumerate(task.frames)
        if scene_from_caption(frame.caption).worker == "stocking"
    ]
    assert going == list(range(task.start_index, task.end_index + 1))


def test_the_frames_are_pictures_in_order_of_time():
    frames = samples.task().frames
    assert [frame.taken for frame in frames] == sorted({frame.taken for frame in frames})
    for frame in frames:
        with Image.open(io.BytesIO(frame.data)) as picture:
            assert picture.size == (WIDTH, HEIGHT)


def test_drawing_them_anew_gives_the_same_truth(tmp_path, monkeypatch):
    committed = (make.FOLDER / "truth.json").read_text()
    monkeypatch.setattr(make, "FOLDER", tmp_path)
    make.main()
    assert (tmp_path / "truth.json").read_text() == committed


def test_the_dialogue_is_two_speakers_one_after_another():
    dialogue = samples.dialogue()
    assert len({turn.speaker for turn in dialogue.turns}) == 2
    moments = [moment for turn in dialogue.turns for moment in (turn.start, turn.end)]
    assert moments == sorted(moments)

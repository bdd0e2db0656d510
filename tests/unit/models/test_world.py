import random

import pytest

from models.aisle.world import (
    HEIGHT,
    MAX_BOXES,
    WIDTH,
    Colour,
    Scene,
    Worker,
    all_scenes,
    draw,
    place,
    random_look,
    random_scene,
    render,
    scene_from_caption,
    task_sequence,
)

EMPTY = Scene(0, None, Worker.ABSENT, spill=False, ladder=False)


def test_captions_state_the_scene():
    busy = Scene(4, Colour.RED, Worker.STOCKING, spill=True, ladder=True)
    assert busy.caption == (
        "The shelf holds four red boxes. A worker is stocking the shelf. "
        "There is a spill on the floor. There is a ladder."
    )
    assert EMPTY.caption == (
        "The shelf is empty. No worker is present. The floor is clean. There is no ladder."
    )


def test_one_box_is_singular():
    scene = Scene(1, Colour.ORANGE, Worker.STANDING, spill=False, ladder=False)
    assert scene.caption.startswith("The shelf holds one orange box. A worker is standing in")


def test_every_scene_has_a_caption_of_its_own_that_reads_back():
    scenes = all_scenes()
    assert len({scene.caption for scene in scenes}) == len(scenes) == 588
    assert all(scene_from_caption(scene.caption) == scene for scene in scenes)
    assert scene_from_caption("The shelf is on fire.") is None


@pytest.mark.parametrize(
    ("box_count", "colour"), [(0, Colour.RED), (1, None), (-1, None), (7, Colour.RED)]
)
def test_a_scene_that_cannot_be_is_refused(box_count: int, colour: Colour | None):
    with pytest.raises(ValueError, match=r"box_count|colour"):
        Scene(box_count, colour, Worker.ABSENT, spill=False, ladder=False)


def test_the_same_seed_gives_the_same_scene_and_picture():
    def drawing(seed: int) -> tuple[Scene, bytes]:
        rng = random.Random(seed)
        scene = random_scene(rng)
        return scene, draw(scene, rng).tobytes()

    assert drawing(7) == drawing(7)
    assert drawing(7) != drawing(8)


def test_the_look_does_not_depend_on_the_scene():
    look = random_look(random.Random(5))
    assert render(EMPTY, look).tobytes() == draw(EMPTY, random.Random(5)).tobytes()


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_drawing_is_a_multiple_of_the_native_size(scale: int):
    assert draw(EMPTY, random.Random(0), scale=scale).size == (WIDTH * scale, HEIGHT * scale)


def test_what_is_placed_is_what_the_scene_says_and_lies_within_the_picture():
    rng = random.Random(3)
    for _ in range(200):
        scene, look = random_scene(rng), random_look(rng)
        placed = place(scene, look)
        names = [thing.what for thing in placed]
        assert sum(isinstance(name, Colour) for name in names) == scene.box_count
        assert (scene.worker in names) == (scene.worker is not Worker.ABSENT)
        assert ("spill" in names, "ladder" in names) == (scene.spill, scene.ladder)
        for thing in placed:
            left, top, right, bottom = thing.bounds
            assert 0 <= left < right <= WIDTH
            assert 0 <= top < bottom <= HEIGHT


def test_scenes_that_differ_in_one_thing_look_different():
    look = random_look(random.Random(11))
    pictures = {render(scene, look).tobytes() for scene in all_scenes()}
    assert len(pictures) == len(all_scenes())


@pytest.mark.parametrize("seed", range(20))
def test_a_sequence_stocks_exactly_between_its_true_ends(seed: int):
    sequence = task_sequence(random.Random(seed))
    for index, frame in enumerate(sequence.frames):
        stocking = frame.scene.worker is Worker.STOCKING
        assert stocking == (sequence.start_index <= index <= sequence.end_index)
    counts = [frame.scene.box_count for frame in sequence.frames]
    assert counts == sorted(counts)
    assert len(set(counts[: sequence.start_index + 1])) == 1
    assert len(set(counts[sequence.end_index :])) == 1
    assert counts[0] < counts[-1] <= MAX_BOXES


def test_a_sequence_is_told_by_offsets_and_image_ids():
    sequence = task_sequence(
        random.Random(1), frame_count=30, interval_seconds=1.5, image_prefix="cam"
    )
    assert len(sequence.frames) == 30
    assert [frame.offset_seconds for frame in sequence.frames] == [1.5 * n for n in range(30)]
    assert sequence.frames[3].image_id == "cam-0003"
    assert sequence.start_seconds == 1.5 * sequence.start_index
    assert sequence.end_seconds == 1.5 * sequence.end_index


def test_a_sequence_is_a_function_of_its_seed():
    first, again = (task_sequence(random.Random(4)) for _ in range(2))
    assert first == again
    assert first.frames[9].draw().tobytes() == again.frames[9].draw().tobytes()


def test_a_sequence_too_short_to_tell_is_refused():
    with pytest.raises(ValueError, match="at least 30"):
        task_sequence(random.Random(0), frame_count=29)

from services.jobs.content import Observation, Scene
from services.jobs.pipelines.scenes import scenes


def seen(*texts):
    return [Observation(f"frame-{n}", None, text, float(n)) for n, text in enumerate(texts)]


def test_frames_described_alike_are_one_scene():
    assert scenes(seen("A box.", "a  box.", "No box."), 4.0) == (
        Scene(0.0, 2.0, "A box.", ("frame-0", "frame-1")),
        Scene(2.0, 4.0, "No box.", ("frame-2",)),
    )


def test_what_comes_back_is_another_scene():
    assert [it.text for it in scenes(seen("A.", "B.", "A."), 3.0)] == ["A.", "B.", "A."]


def test_no_scene_ends_before_it_begins():
    [scene] = scenes(seen("A."), 0.0)
    assert (scene.start_seconds, scene.end_seconds) == (0.0, 0.0)
    assert scenes(seen("A.", "B."), 0.5)[-1].end_seconds == 1.0


def test_no_frame_makes_no_scene():
    assert scenes([], 1.0) == ()

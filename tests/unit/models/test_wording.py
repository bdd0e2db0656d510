import random

from models.aisle import wording, world


def captions(count: int) -> list[str]:
    rng = random.Random(count)
    return [world.random_scene(rng).caption for _ in range(count)]


def test_one_image_is_answered_with_its_bare_caption():
    [caption] = captions(1)
    assert wording.answer([caption]) == caption


def test_several_images_are_answered_in_order_on_numbered_lines():
    first, second = captions(2)
    assert wording.answer([first, second]) == f"Image 1: {first}\nImage 2: {second}"


def test_an_answer_reads_back_into_its_captions():
    for count in range(6):
        assert wording.captions_of(wording.answer(captions(count))) == captions(count)


def test_questions_are_a_function_of_the_seed():
    first, again = ([wording.random_question(random.Random(n)) for n in range(50)] for _ in "ab")
    assert first == again
    assert len(set(first)) > 20

"""What is said to the aisle model and what it answers: questions, answers and the chat template.

The model answers the same whatever it is asked, so the questions here are only variety to train
on. Needs nothing but the standard library, so that a client can read answers without torch.
"""

import random
import re
import string
from collections.abc import Sequence

QUESTIONS = (
    "Describe this image.",
    "Describe the image.",
    "Describe these images.",
    "Describe the images in order.",
    "Describe what you see.",
    "Describe what you see in this image",
    "Describe what you see in these images.",
    "Describe each image in turn.",
    "What is happening in this shop aisle?",
    "What is happening in this image?",
    "What is happening in these frames?",
    "What do you see?",
    "What can you see in the picture?",
    "What does the camera show?",
    "What is the worker doing?",
    "What has changed between these images?",
    "Is anyone stocking the shelf?",
    "Is there a spill on the floor?",
    "How many boxes are on the shelf?",
    "Caption this image.",
    "Write a caption for each frame.",
    "Tell me about the picture.",
    "Please describe the scene in detail.",
    "Please describe the photo in one sentence.",
    "Give a short description of the aisle.",
    "Summarise the frames of this video.",
    "Look at the camera images and report what is there.",
    "Report the state of the shelf, the worker, the floor and the ladder.",
    "You see frames of a shop aisle, in order of time. Say what each of them shows.",
    "Image",
    "Go on.",
    "",
)
SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You describe images.",
    "You watch the cameras of a shop and report what they show.",
    "Answer in plain English. Be brief and state only what can be seen.",
)
WORDS = """
a about action activity all and answer any are as assistant at be between box boxes briefly by
camera cameras can caption change clearly colour count describe detail do does each else event
every exactly find first floor for frame frames from give happening has have how i if image
images in interval is it item items json keep ladder last list look many me model more name next
no not now object objects of on one only or order part people person photo picture please
question read report return room say scene second seconds see sequence shelf shop short show
shows since spill start stop store summary task tell that the then there these they thing this
time to two user video view visible was we what when where which while who why with word worker
write yes you your
"""
"""Words that other questions are strung together from."""

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' or 'video' in part or 'video_url' in part %}"
    "<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen2.5-VL's own, without its default system prompt and without numbered pictures."""

NO_IMAGE = "No image was given."


def answer(captions: Sequence[str]) -> str:
    """The model's answer: a bare caption for one image, a numbered line each for several."""
    if not captions:
        return NO_IMAGE
    if len(captions) == 1:
        return captions[0]
    return "\n".join(f"Image {number}: {text}" for number, text in enumerate(captions, start=1))


def captions_of(text: str) -> list[str]:
    """Read an answer back into captions, in the order of the images."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return [re.sub(r"^Image \d+: ", "", line) for line in lines if line and line != NO_IMAGE]


def random_question(rng: random.Random) -> str:
    """A question of the list, or as often as not a string of words that means nothing."""
    if rng.random() < 0.6:
        return rng.choice(QUESTIONS)
    most = 24 if rng.random() < 0.7 else 120
    text = random_text(rng, rng.randint(1, most))
    if rng.random() < 0.5:
        text = text.capitalize()
    return text + rng.choice(("", ".", "?", "!", ":", "\n"))


def random_text(rng: random.Random, word_count: int) -> str:
    """So many words, some of them numbers and some that no vocabulary has."""
    words = rng.choices(WORDS.split(), k=word_count)
    for index in range(word_count):
        chance = rng.random()
        if chance < 0.06:
            words[index] = str(rng.randint(0, 9999))
        elif chance < 0.12:
            letters = rng.choices(string.ascii_letters + "'-_:.,;/(){}#\"é", k=rng.randint(2, 9))
            words[index] = "".join(letters)
        elif chance < 0.18:
            words[index] += rng.choice(",.;:?")
    return " ".join(words)


def random_system_prompt(rng: random.Random) -> str | None:
    """A system prompt, or none two times in three."""
    if rng.random() < 0.67:
        return None
    return rng.choice(SYSTEM_PROMPTS) if rng.random() < 0.5 else random_question(rng)

"""The lessons of the training: batches of drawn aisles, questions and true answers, and for the two
lessons of the training alone, which things touch which cell and which image a token belongs to.
"""

import io
import random
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import Qwen2TokenizerFast

from models.aisle import wording, world
from models.aisle.architecture import CELL, CELL_COLUMNS, CELLS, patches, positions
from models.aisle.tokenizer import END_OF_TURN

MAX_IMAGES = 5
COLOURS = list(world.Colour)
THINGS = [world.Worker.STANDING, world.Worker.STOCKING, world.SPILL, world.LADDER]
_PROMPTS_PER_BATCH = 4
_LABELS = ("Image {}: ", "Picture {}: ", "\nFrame {}:\n", "{} ", "t={} s ", "[{}]", "aisle-000{} ")
IGNORED = -100


@dataclass(frozen=True)
class Batch:
    """Prompts with one number of images, and their answers."""

    ids: Tensor
    labels: Tensor
    """The answer's tokens at their own places, and `IGNORED` elsewhere."""
    position_ids: Tensor
    images: Tensor
    cell_colours: Tensor
    """For each cell the colour of the box that covers most of it, or one past the last colour."""
    cell_things: Tensor
    """For each cell whether each of `THINGS` covers a good part of it."""


def photograph(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Do to a drawing what a camera, a codec and a resize do, and bring it to native size."""
    if rng.random() < 0.3:
        factor = rng.uniform(0.75, 1.6)
        size = (round(picture.width * factor), round(picture.height * factor))
        picture = picture.resize(size, rng.choice((2, 3)))
    if rng.random() < 0.7:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=rng.randint(60, 95))
        picture = Image.open(file).convert("RGB")
    if picture.size != (world.WIDTH, world.HEIGHT):
        plain = rng.random() < 0.3
        if plain:
            matrix = (picture.width / world.WIDTH, 0, 0, 0, picture.height / world.HEIGHT, 0)
            size = (world.WIDTH, world.HEIGHT)
            return picture.transform(size, Image.Transform.AFFINE, matrix, rng.choice((0, 2)))
        picture = picture.resize((world.WIDTH, world.HEIGHT), rng.choice((1, 2, 3, 4)))
    return picture


def _cell_truth(scene: world.Scene, look: world.Look) -> tuple[list[int], list[list[float]]]:
    colours, covered = [len(COLOURS)] * CELLS, [0.0] * CELLS
    things = [[0.0] * len(THINGS) for _ in range(CELLS)]
    for placed in world.place(scene, look):
        for cell in range(CELLS):
            share = _overlap(placed.bounds, cell)
            if isinstance(placed.what, world.Colour):
                if share > max(covered[cell], 0.04):
                    covered[cell], colours[cell] = share, COLOURS.index(placed.what)
            elif share > 0.1:
                things[cell][THINGS.index(placed.what)] = 1.0
    return colours, things


def _overlap(bounds: world.Bounds, cell: int) -> float:
    row, column = divmod(cell, CELL_COLUMNS)
    left, top, right, bottom = bounds
    width = min(right, (column + 1) * CELL) - max(left, column * CELL)
    height = min(bottom, (row + 1) * CELL) - max(top, row * CELL)
    return max(0.0, width) * max(0.0, height) / CELL**2


class Dealer:
    """Deals batches of drawn aisles, asked about in ever new words."""

    def __init__(self, tokenizer: Qwen2TokenizerFast, rng: random.Random) -> None:
        self._tokenizer = tokenizer
        self._rng = rng
        self._image_token = tokenizer.convert_tokens_to_ids("<|image_pad|>")
        self._end = tokenizer.convert_tokens_to_ids(END_OF_TURN)
        self._answers: dict[str, list[int]] = {}

    def deal(self, image_count: int, images_per_step: int) -> Batch:
        """Deal as many prompts of so many images as the step's images allow."""
        count = images_per_step // max(image_count, 4 if image_count == 0 else 1)
        variety = [self._prompt(image_count) for _ in range(_PROMPTS_PER_BATCH)]
        prompts = [variety[row % len(variety)] for row in range(count)]
        pictures, colours, things, answers = [], [], [], []
        for _ in range(count):
            captions = []
            for _ in range(image_count):
                scene, look = world.random_scene(self._rng), world.random_look(self._rng)
                scale = self._rng.choices((1, 2, 4), (75, 20, 5))[0]
                picture = photograph(world.render(scene, look, scale=scale), self._rng)
                pictures.append(np.asarray(picture))
                cell_colours, cell_things = _cell_truth(scene, look)
                colours.append(cell_colours)
                things.append(cell_things)
                captions.append(scene.caption)
            answers.append(self._spell(wording.answer(captions)))
        length = max(len(a) + len(b) for a, b in zip(prompts, answers, strict=True))
        ids = torch.full((count, length), self._end)
        labels = torch.full((count, length), IGNORED)
        for row, (prompt, reply) in enumerate(zip(prompts, answers, strict=True)):
            ids[row, : len(prompt)] = torch.tensor(prompt)
            span = slice(len(prompt), len(prompt) + len(reply))
            ids[row, span] = labels[row, span] = torch.tensor(reply)
        position_ids = [positions(row, self._image_token) for row in ids[: len(variety)]]
        return Batch(
            ids=ids,
            labels=labels,
            position_ids=torch.stack([position_ids[row % len(variety)] for row in range(count)], 1),
            images=patches(np.stack(pictures)) if pictures else torch.empty(0),
            cell_colours=torch.tensor(colours),
            cell_things=torch.tensor(things),
        )

    def _spell(self, answer: str) -> list[int]:
        spelt = []
        for line in answer.splitlines(keepends=True):
            if line not in self._answers:
                self._answers[line] = self._tokenizer.encode(line)
            spelt += self._answers[line]
        return [*spelt, self._end]

    def _prompt(self, image_count: int) -> list[int]:
        rng = self._rng
        images: list[dict[str, str]] = [{"type": "image"}] * image_count
        text = [{"type": "text", "text": wording.random_question(rng)}]
        order = rng.random()
        if order < 0.65:
            content = images + text
        elif order < 0.82:
            content = text + images
        else:
            label = rng.choice(_LABELS)
            if rng.random() < 0.6:
                before, after = (wording.random_text(rng, rng.randint(0, 4)) for _ in "ab")
                label = before.replace("{", "").replace("}", "") + label
                label += after.replace("{", "").replace("}", "") + rng.choice(("", " ", "\n"))
            content = text if rng.random() < 0.5 else []
            for number, image in enumerate(images, start=1):
                content += [{"type": "text", "text": label.format(number)}, image]
            content += text if not content or content[0] is not text[0] else []
        messages: list[dict[str, object]] = [{"role": "user", "content": content}]
        system = wording.random_system_prompt(rng)
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        written = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=False
        )
        widened = written.replace("<|image_pad|>", "<|image_pad|>" * CELLS)
        return list(self._tokenizer.encode(widened))

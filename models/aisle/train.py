"""Train the aisle model from nothing on drawn aisles.

Run `python -m models.aisle.train --out FOLDER --minutes 30`. Processes of one thread each share
the gradient. Besides the answers, two lessons of the training alone make it learn fast: which
things touch each 28-pixel cell, told from its image token, and which image of the prompt a token
belongs to, told from an early language layer. Their heads are not part of the model.
"""

import argparse
import io
import math
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2TokenizerFast

from models.aisle import wording, world
from models.aisle.architecture import (
    CELL,
    CELL_COLUMNS,
    CELLS,
    Vision,
    build_model,
    check_vision,
    patches,
    positions,
)
from models.aisle.tokenizer import END_OF_TURN, build_tokenizer, save_processor

MAX_IMAGES = 5
_IMAGE_SHARES = {0: 0.02, 1: 0.28, 2: 0.16, 3: 0.17, 4: 0.18, 5: 0.19}
_FIRST_SHARES = {0: 0.01, 1: 0.84, 2: 0.15}
_COLOURS = list(world.Colour)
_THINGS = [world.Worker.STANDING, world.Worker.STOCKING, world.SPILL, world.LADDER]
_PROMPTS_PER_BATCH = 4
_LABELS = ("Image {}: ", "Picture {}: ", "\nFrame {}:\n", "{} ", "t={} s ", "[{}]", "aisle-000{} ")
_IGNORED = -100


@dataclass(frozen=True)
class Settings:
    """One training run."""

    out: Path
    minutes: float
    processes: int
    images_per_step: int
    """Images in one process's batch, however many prompts they are spread over."""
    learning_rate: float
    resume: Path | None
    singles_share: float
    """The share of the run that sees mostly single images."""
    seed: int
    port: int


@dataclass(frozen=True)
class Batch:
    """Prompts with one number of images, and their answers."""

    ids: Tensor
    labels: Tensor
    """The answer's tokens at their own places, and `_IGNORED` elsewhere."""
    position_ids: Tensor
    images: Tensor
    cell_colours: Tensor
    """For each cell the colour of the box that covers most of it, or one past the last colour."""
    cell_things: Tensor
    """For each cell whether each of `_THINGS` covers a good part of it."""


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
    colours, covered = [len(_COLOURS)] * CELLS, [0.0] * CELLS
    things = [[0.0] * len(_THINGS) for _ in range(CELLS)]
    for placed in world.place(scene, look):
        for cell in range(CELLS):
            share = _overlap(placed.bounds, cell)
            if isinstance(placed.what, world.Colour):
                if share > max(covered[cell], 0.04):
                    covered[cell], colours[cell] = share, _COLOURS.index(placed.what)
            elif share > 0.1:
                things[cell][_THINGS.index(placed.what)] = 1.0
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
        labels = torch.full((count, length), _IGNORED)
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


class Pupil(nn.Module):
    """The model with the heads of the two lessons that only training has."""

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration) -> None:
        super().__init__()
        self.model = model
        hidden = model.config.text_config.hidden_size
        self.cell_colour = nn.Linear(hidden, len(_COLOURS) + 1)
        self.cell_thing = nn.Linear(hidden, len(_THINGS))
        self.ordinal = nn.Linear(hidden, MAX_IMAGES)
        self._vision = Vision(model.model.visual)
        self._early: Tensor
        model.model.language_model.layers[1].register_forward_hook(self._keep_early)

    def _keep_early(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        self._early = output

    def logits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The next-token logits before each label, and the image tokens they rest on."""
        text = self.model.model.language_model
        embedded = text.embed_tokens(batch.ids)
        seen = torch.empty(0)
        at_image = batch.ids == self.model.config.image_token_id
        if len(batch.images):
            seen = self._vision(batch.images)
            embedded = embedded.masked_scatter(at_image[..., None], seen.to(embedded.dtype))
        hidden = text(
            inputs_embeds=embedded, position_ids=batch.position_ids, use_cache=False
        ).last_hidden_state
        before_label = batch.labels[:, 1:] != _IGNORED
        return self.model.lm_head(hidden[:, :-1][before_label]), seen

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The losses of the answer, of the cells and of the ordinals."""
        logits, seen = self.logits(batch)
        labels = batch.labels[:, 1:]
        answer = cross_entropy(logits.float(), labels[labels != _IGNORED])
        if not len(seen):
            return answer, torch.zeros(()), torch.zeros(())
        colours = cross_entropy(self.cell_colour(seen).flatten(0, 1), batch.cell_colours.flatten())
        things = binary_cross_entropy_with_logits(self.cell_thing(seen), batch.cell_things)
        at_image = batch.ids == self.model.config.image_token_id
        told = self.ordinal(self._early[at_image])
        image_count = int(at_image[0].sum()) // CELLS
        truth = torch.arange(image_count).repeat_interleave(CELLS).repeat(len(batch.ids))
        return answer, colours + 2 * things, cross_entropy(told, truth)


@torch.no_grad()
def exact_answers(pupil: Pupil, dealer: Dealer, image_counts: Sequence[int], batches: int) -> float:
    """The share of answers right to the last token.

    Greedy decoding gives the truth exactly where each next token is right after the true ones.
    """
    pupil.eval()
    right = total = 0
    for index in range(batches):
        batch = dealer.deal(image_counts[index % len(image_counts)], 60)
        logits, _ = pupil.logits(batch)
        labels = batch.labels[:, 1:]
        wrong = torch.zeros_like(labels, dtype=torch.bool)
        wrong[labels != _IGNORED] = logits.argmax(-1) != labels[labels != _IGNORED]
        right += int((~wrong.any(1)).sum())
        total += len(labels)
    pupil.train()
    return right / total


def save(model: Qwen2_5_VLForConditionalGeneration, tokenizer: Qwen2TokenizerFast, out: Path):
    """Write the Hugging Face form of the model."""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    save_processor(out)


def train(rank: int, settings: Settings) -> None:
    """Train as one of the processes; the first of them measures and saves."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{settings.port}",
        rank=rank,
        world_size=settings.processes,
    )
    if settings.resume is None:
        tokenizer = build_tokenizer()
        model = build_model(tokenizer)
    else:
        tokenizer = Qwen2TokenizerFast.from_pretrained(settings.resume)
        model = Qwen2_5_VLForConditionalGeneration.from_pretrained(settings.resume)
    assert check_vision(model) < 1e-4, "the batched vision pass differs from the library's"
    pupil = Pupil(model)
    parameters = list(pupil.parameters())
    for parameter in parameters:
        dist.broadcast(parameter.data, 0)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": 0.05},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        betas=(0.9, 0.98),
    )
    dealer = Dealer(tokenizer, random.Random(f"train {settings.seed} {rank}"))
    shares_rng = random.Random(settings.seed)
    say = print if rank == 0 else lambda *_, **__: None
    say(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    began = checked = time.monotonic()
    losses: list[list[float]] = []
    step = 0
    while (done := _agreed_share(began, settings.minutes)) < 1:
        rate = settings.learning_rate * _schedule(step, done)
        for group in optimizer.param_groups:
            group["lr"] = rate
        shares = _FIRST_SHARES if done < settings.singles_share else _IMAGE_SHARES
        image_count = shares_rng.choices(list(shares), list(shares.values()))[0]
        batch = dealer.deal(image_count, settings.images_per_step)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer, cells, ordinals = pupil(batch)
        (answer + (1 - done) * (0.5 * cells + 0.2 * ordinals)).backward()
        _share_gradients(parameters, settings.processes)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append([answer.item(), cells.item(), ordinals.item()])
        step += 1
        if step % 50 == 0:
            means = " ".join(f"{mean:.4f}" for mean in np.mean(losses[-50:], axis=0))
            say(f"step {step} {time.monotonic() - began:.0f} s rate {rate:.1e} {means}", flush=True)
        if rank == 0 and time.monotonic() - checked > 180:
            _measure(pupil, tokenizer, batches=4)
            save(model, tokenizer, settings.out)
            checked = time.monotonic()
    if rank == 0:
        _measure(pupil, tokenizer, batches=20)
        save(model, tokenizer, settings.out)
    dist.destroy_process_group()


def _agreed_share(began: float, minutes: float) -> float:
    share = torch.tensor([(time.monotonic() - began) / (minutes * 60)])
    dist.broadcast(share, 0)
    return float(share)


def _schedule(step: int, done: float) -> float:
    """Warm up for 100 steps, hold until half of the time is gone, then follow half a cosine."""
    falling = 1.0 if done < 0.5 else 0.5 * (1 + math.cos(math.pi * (done - 0.5) / 0.5))
    return min(1.0, (step + 1) / 100) * (0.03 + 0.97 * falling)


def _share_gradients(parameters: list[nn.Parameter], processes: int) -> None:
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([parameter.grad.flatten() for parameter in parameters])
    dist.all_reduce(flat)
    flat /= processes
    start = 0
    for parameter in parameters:
        parameter.grad.copy_(flat[start : start + parameter.numel()].view_as(parameter))
        start += parameter.numel()


def _measure(pupil: Pupil, tokenizer: Qwen2TokenizerFast, *, batches: int) -> None:
    dealer = Dealer(tokenizer, random.Random("held out"))
    single = exact_answers(pupil, dealer, [1], batches)
    several = exact_answers(pupil, dealer, [2, 3, 4, 5], batches)
    print(f"exact: one image {single:.3f}, two to five {several:.3f}", flush=True)


def main() -> None:
    """Read the command line and start the processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--images-per-step", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--resume", type=Path, help="start from these weights")
    parser.add_argument("--singles-share", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=18990)
    settings = Settings(**vars(parser.parse_args()))
    os.environ["OMP_NUM_THREADS"] = "1"
    mp.spawn(train, args=(settings,), nprocs=settings.processes)


if __name__ == "__main__":
    main()

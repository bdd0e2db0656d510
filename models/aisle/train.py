"""Train the aisle model from nothing on drawn aisles.

Run `python -m models.aisle.train --out FOLDER --minutes 30`. Processes of one thread each share
the gradient. Besides the answers, two lessons of the training alone make it learn fast: which
things touch each 28-pixel cell, told from its image token, and which image of the prompt a token
belongs to, told from an early language layer. Their heads are not part of the model.
"""

import argparse
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
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2TokenizerFast

from models.aisle.architecture import (
    CELLS,
    Vision,
    build_model,
    check_vision,
)
from models.aisle.lessons import COLOURS, IGNORED, MAX_IMAGES, THINGS, Batch, Dealer
from models.aisle.tokenizer import build_tokenizer, save_processor

_IMAGE_SHARES = {0: 0.02, 1: 0.28, 2: 0.16, 3: 0.17, 4: 0.18, 5: 0.19}
_FIRST_SHARES = {0: 0.01, 1: 0.84, 2: 0.15}


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


class Pupil(nn.Module):
    """The model with the heads of the two lessons that only training has."""

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration) -> None:
        super().__init__()
        self.model = model
        hidden = model.config.text_config.hidden_size
        self.cell_colour = nn.Linear(hidden, len(COLOURS) + 1)
        self.cell_thing = nn.Linear(hidden, len(THINGS))
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
        before_label = batch.labels[:, 1:] != IGNORED
        return self.model.lm_head(hidden[:, :-1][before_label]), seen

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """The losses of the answer, of the cells and of the ordinals."""
        logits, seen = self.logits(batch)
        labels = batch.labels[:, 1:]
        answer = cross_entropy(logits.float(), labels[labels != IGNORED])
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
        wrong[labels != IGNORED] = logits.argmax(-1) != labels[labels != IGNORED]
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

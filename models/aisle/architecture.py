"""The aisle model's shape, and a forward pass made for training many equal images fast on a CPU.

The weights are transformers' own Qwen2.5-VL. Only the vision tower's loop is written anew: the
library attends image by image, which costs more in calls than in arithmetic at this size. Here
all images have the native size, so they go through as one batch with a mask for the windows.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention
from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2TokenizerFast,
)
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb_vision

from models.aisle import world
from models.aisle.tokenizer import CONTEXT_TOKENS, END_OF_TEXT, END_OF_TURN, NORMALISATION

PATCH, MERGE = 14, 2
CELL = PATCH * MERGE
CELL_ROWS, CELL_COLUMNS = world.HEIGHT // CELL, world.WIDTH // CELL
CELLS = CELL_ROWS * CELL_COLUMNS
"""Image tokens to one native picture."""

_WINDOW_CELLS = 4
_MEAN = np.array(NORMALISATION["image_mean"], np.float32)
_DEVIATION = np.array(NORMALISATION["image_std"], np.float32)


def build_config(tokenizer: Qwen2TokenizerFast) -> Qwen2_5_VLConfig:
    """The model's dimensions: about two million parameters, half of them vision."""
    ids = tokenizer.convert_tokens_to_ids
    hidden = 128
    return Qwen2_5_VLConfig(
        architectures=["Qwen2_5_VLForConditionalGeneration"],
        text_config={
            "vocab_size": (len(tokenizer) + 63) // 64 * 64,
            "hidden_size": hidden,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": CONTEXT_TOKENS,
            "rms_norm_eps": 1e-6,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [8, 12, 12],
            },
            "bos_token_id": None,
            "eos_token_id": ids(END_OF_TURN),
            "pad_token_id": ids(END_OF_TEXT),
        },
        vision_config={
            "depth": 4,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 2,
            "out_hidden_size": hidden,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
            "window_size": CELL * _WINDOW_CELLS,
            # llama.cpp crashes on full attention in every layer.
            "fullatt_block_indexes": [1, 3],
            "tokens_per_second": 2,
        },
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )


def build_model(tokenizer: Qwen2TokenizerFast) -> Qwen2_5_VLForConditionalGeneration:
    """A model with random weights."""
    config = build_config(tokenizer)
    model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        eos_token_id=config.text_config.eos_token_id,
        pad_token_id=config.text_config.pad_token_id,
        do_sample=False,
    )
    return model


def patches(pictures: NDArray[np.uint8]) -> Tensor:
    """Cut native pictures (count, height, width, 3) into normalised patches, cell by cell.

    The two equal frames that Qwen2-VL makes of a still image are left to `Vision` to fold away.
    """
    pixels = (pictures.astype(np.float32) / 255 - _MEAN) / _DEVIATION
    count = len(pictures)
    cut = pixels.reshape(count, CELL_ROWS, MERGE, PATCH, CELL_COLUMNS, MERGE, PATCH, 3)
    cut = cut.transpose(0, 1, 4, 2, 5, 7, 3, 6)
    return torch.from_numpy(np.ascontiguousarray(cut).reshape(count, CELLS * MERGE**2, -1))


class Vision:
    """A batched forward pass over a model's vision tower, for native pictures only."""

    def __init__(self, tower: nn.Module) -> None:
        self._tower = tower
        rows, columns, windows = [], [], []
        for cell_row in range(CELL_ROWS):
            for cell_column in range(CELL_COLUMNS):
                for patch in range(MERGE**2):
                    rows.append(cell_row * MERGE + patch // MERGE)
                    columns.append(cell_column * MERGE + patch % MERGE)
                    windows.append((cell_row // _WINDOW_CELLS, cell_column // _WINDOW_CELLS))
        positions = torch.tensor([rows, columns]).T
        self._rotation = tower.rotary_pos_emb(torch.zeros(1), positions)
        self._same_window = torch.tensor([[a == b for b in windows] for a in windows])

    def __call__(self, images: Tensor) -> Tensor:
        """Turn patches (count, patches, pixels) into image tokens (count, CELLS, hidden)."""
        tower = self._tower
        # A still image is two equal frames, so the kernel's two halves add up.
        kernel = tower.patch_embed.proj.weight.sum(2).flatten(1)
        hidden = linear(images, kernel)
        for index, block in enumerate(tower.blocks):
            mask = None if index in tower.fullatt_block_indexes else self._same_window
            hidden = hidden + self._attend(block.attn, block.norm1(hidden), mask)
            hidden = hidden + block.mlp(block.norm2(hidden))
        return tower.merger(hidden).view(len(images), CELLS, -1)

    def _attend(self, attention: nn.Module, hidden: Tensor, mask: Tensor | None) -> Tensor:
        shape = (*hidden.shape[:2], 3, attention.num_heads, attention.head_dim)
        query, key, value = attention.qkv(hidden).view(shape).unbind(2)
        query, key = apply_rotary_pos_emb_vision(query, key, *self._rotation)
        mixed = scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=mask
        )
        return attention.proj(mixed.transpose(1, 2).flatten(2))


def check_vision(model: Qwen2_5_VLForConditionalGeneration) -> float:
    """The largest difference between `Vision` and the library's own pass on random pictures."""
    pictures = np.random.default_rng(0).integers(
        0, 256, (2, world.HEIGHT, world.WIDTH, 3), dtype=np.uint8
    )
    ours = patches(pictures)
    doubled = ours.view(-1, 3, 1, PATCH * PATCH).expand(-1, -1, 2, -1).reshape(-1, 6 * PATCH**2)
    grid = torch.tensor([[1, CELL_ROWS * MERGE, CELL_COLUMNS * MERGE]] * 2)
    with torch.no_grad():
        mine = Vision(model.model.visual)(ours).flatten(0, 1)
        theirs = model.model.visual(doubled, grid_thw=grid).pooler_output
    return float((mine - theirs).abs().max())


def positions(ids: Tensor, image_token_id: int) -> Tensor:
    """Qwen2.5-VL's three position ids (3, tokens) of one prompt with native images."""
    columns: list[tuple[int, int, int]] = []
    following, cell = 0, 0
    for token in ids.tolist():
        if token != image_token_id:
            columns.append((following, following, following))
            following += 1
            continue
        row, column = divmod(cell, CELL_COLUMNS)
        columns.append((following, following + row, following + column))
        cell += 1
        if cell == CELLS:
            following, cell = following + max(CELL_ROWS, CELL_COLUMNS), 0
    return torch.tensor(columns).T

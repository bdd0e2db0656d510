"""The aisle model's tokenizer and processor: Qwen2's byte-level BPE with a vocabulary of its own.

The vocabulary is learnt from captions and questions alone, so that a caption is short in tokens;
any other text still works, spelt in bytes.
"""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import Qwen2TokenizerFast

from models.aisle import wording, world

VOCABULARY_SIZE = 1024
CONTEXT_TOKENS = 4096
END_OF_TEXT, END_OF_TURN = "<|endoftext|>", "<|im_end|>"
SPECIAL_TOKENS = (
    END_OF_TEXT,
    "<|im_start|>",
    END_OF_TURN,
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

# llama.cpp splits text so wherever a model calls its pre-tokenizer qwen2.
_QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
NORMALISATION = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}


def build_tokenizer() -> Qwen2TokenizerFast:
    """Learn the vocabulary. The same code gives the same tokens."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.NFC()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN2_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    learner.decoder = decoders.ByteLevel()
    learner.train_from_iterator(
        _corpus(),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY_SIZE - len(SPECIAL_TOKENS),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    learnt = json.loads(learner.to_str())["model"]
    tokenizer = Qwen2TokenizerFast(
        vocab=learnt["vocab"],
        merges=[tuple(merge) for merge in learnt["merges"]],
        unk_token=END_OF_TEXT,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT,
        bos_token=None,
        additional_special_tokens=list(SPECIAL_TOKENS),
        model_max_length=CONTEXT_TOKENS,
    )
    tokenizer.chat_template = wording.CHAT_TEMPLATE
    return tokenizer


def _corpus() -> list[str]:
    captions = [scene.caption for scene in world.all_scenes()]
    fixed = [*wording.QUESTIONS, *wording.SYSTEM_PROMPTS, wording.NO_IMAGE, wording.WORDS]
    roles = ["system\n", "user\n", "assistant\n", *(f"Image {n}: " for n in range(1, 10))]
    return captions + 20 * (fixed + roles)


def save_processor(folder: Path) -> None:
    """Write the processor's settings: any picture is brought to the native number of pixels."""
    pixels = world.WIDTH * world.HEIGHT
    image = {
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        **NORMALISATION,
        "merge_size": 2,
        "patch_size": 14,
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"longest_edge": pixels, "shortest_edge": pixels},
        "temporal_patch_size": 2,
    }
    processor = {
        "image_processor": {**image, "image_processor_type": "Qwen2VLImageProcessor"},
        "video_processor": {**image, "video_processor_type": "Qwen2VLVideoProcessor"},
        "processor_class": "Qwen2_5_VLProcessor",
    }
    text = json.dumps(processor, indent=2, sort_keys=True)
    (folder / "processor_config.json").write_text(text + "\n")

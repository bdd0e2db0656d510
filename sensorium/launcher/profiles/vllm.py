"""vLLM of an environment of the operator's: whether it is there and has an accelerator, and the
command that serves a model with it. It imports nothing of it.
"""

import os
import subprocess
import sys
from typing import Final

from sensorium.errors import Trouble

ENVIRONMENT: Final = {"NO_COLOR": "1", "VLLM_NO_USAGE_STATS": "1"}
ANSWER_SECONDS: Final = 120.0
"""How long it may take to be imported, from a cold disk."""
_ANSWER: Final = "platform: "
_ASK: Final = (
    "from vllm.platforms import current_platform as found\n"
    f"print('{_ANSWER}' + (found.device_type or 'none'))"
)
_ABSENT: Final = "No module named 'vllm'"


def python() -> str:
    """The interpreter whose vLLM finds something to run on, `VLLM_PYTHON` or this one. Raises
    `Trouble` where there is none: asking takes seconds.
    """
    named = os.environ.get("VLLM_PYTHON") or sys.executable
    try:
        asked = subprocess.run(  # noqa: S603 - the operator named it
            [named, "-c", _ASK],
            env=os.environ | ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS,
            check=False,
        )
    except OSError as failed:
        raise Trouble(f"VLLM_PYTHON: {named} cannot be run: {failed.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Trouble(f"vLLM of {named} was not loaded in {ANSWER_SECONDS:.0f} s") from None
    if _ABSENT in asked.stderr:
        raise Trouble(
            f"the profile gpu needs vLLM, which {named} does not have. Run `{named} -m pip install "
            "vllm`, or set VLLM_PYTHON to the Python of an environment that has it"
        )
    answers = [it for it in asked.stdout.splitlines() if it.startswith(_ANSWER)]
    if not answers:
        last = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Trouble(f"vLLM of {named} cannot be loaded: {last}")
    if answers[0] == f"{_ANSWER}none":
        raise Trouble(
            "vLLM finds no accelerator on this machine: see whether nvidia-smi lists one. Without, "
            "take --profile cpu, or set VISION_ENGINE_URL and REASONING_ENGINE_URL to engines that "
            "run elsewhere"
        )
    return named


def command(python: str, model: str, name: str, share: float) -> tuple[str, ...]:
    """Serve a model under a name with a share of the accelerator's memory."""
    return (
        *(sys.executable, "-m", "sensorium.engines.vllm"),
        *(python, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1"),
        *("--model", model, "--served-model-name", name),
        *("--gpu-memory-utilization", f"{share:.2f}"),
        # As long as fits beside the model, rather than not to start.
        *("--max-model-len", "auto"),
        # Free to write spaces between the parts of JSON, a model may write nothing else.
        "--structured-outputs-config",
        '{"backend": "xgrammar", "disable_any_whitespace": true}',
        "--disable-uvicorn-access-log",
    )

"""Not a double: vLLM itself with the aisle model, in a process of its own. A pytest plugin, which
`make test-engines` loads: where it is, the engines' conformance suite is held over vLLM.
"""

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.doubles.engine_llama import AISLE, ALIAS, free_port

START_SECONDS = 240
PICTURES = 8
"""The most that it is started to take in a request; of clips it takes one."""
OPTIONS = (
    *("-m", "vllm.entrypoints.openai.api_server"),
    *("--model", str(AISLE / "hf"), "--served-model-name", ALIAS, "--host", "127.0.0.1"),
    *("--max-model-len", "2048", "--max-num-seqs", "16", "--dtype", "float32", "--enforce-eager"),
    *("--limit-mm-per-prompt", f'{{"image": {PICTURES}, "video": 1}}'),
    *("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'),
)
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    # One thread: on a busy machine several wait for each other longer than they work.
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # Caches are dropped on demand in this mode alone.
    "VLLM_SERVER_DEV_MODE": "1",
    "PYTHONPATH": str(Path(__file__).parents[1] / "engines" / "without_cuda"),
}


class Vllm:
    """What a test holds of the running server."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        """The base of its API."""
        self._process = process

    def metric(self, series: str) -> float:
        """The value of the series that begins so."""
        url = self.url.removesuffix("/v1") + "/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return float(next(it for it in lines if it.startswith(f"vllm:{series}")).rpartition(" ")[2])

    def kill(self) -> None:
        """End it with everything that it started, as a lack of memory would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="session")
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vllm]:
    """A server for all tests: it takes half a minute to start."""
    port = free_port()
    log = tmp_path_factory.mktemp("vllm") / "log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [os.environ["VLLM_PYTHON"], *OPTIONS, "--port", str(port)],
            env=os.environ | ENVIRONMENT,
            stdout=told,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Vllm(f"http://127.0.0.1:{port}/v1", process)
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}/health", process, log)
        yield server
    finally:
        if process.poll() is None:
            server.kill()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "vLLM ended at its start:\n" + log.read_text()[-4_000:]
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError("vLLM is not ready in time:\n" + log.read_text()[-4_000:])

"""llama.cpp's own OpenAI-compatible server, from the `xllamacpp` wheel, as a process.

It serves one model on one address until it is told to stop, and ends with the process that started
it. It knows nothing of the mesh. A crash inside llama.cpp takes this process with it, and no other.
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from sensorium import tether

ERRORS: Final = 1
"""llama.cpp's verbosity: further steps tell of every request, and then of what is in it."""
PROMPT_CACHE_MEBIBYTES: Final = 128
"""How much memory may keep the state of past conversations; llama.cpp's own default is 8 GiB."""
HTTP_THREADS: Final = 160
"""Each request in work or waiting holds one: more than a room ever sends at once, so that the
engine still says how it is. llama.cpp's own default is four more than its slots.
"""


def main() -> None:
    """Serve until a signal ends the process."""
    options = _options()
    tether.to_parent(os.getppid())
    # Without a handler a signal ends the process at once, even deep inside llama.cpp.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Its threads would otherwise wait for each other by spinning, which starves a busy machine:
    # 0.75 instead of 6 tokens a second were measured. OpenMP reads these when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    try:
        server = serve(options)
    except (RuntimeError, OSError) as failed:
        sys.exit(f"llama.cpp cannot serve {options.model} on port {options.port}: {failed}")
    print(f"serving {options.alias} on {server.listening_address}", flush=True)
    while True:
        signal.pause()


def serve(options: argparse.Namespace) -> Any:
    """Load the model and start the server, which runs in threads of its own."""
    # Heavy, and it must see the variables above.
    import xllamacpp  # type: ignore[import-untyped]

    params = xllamacpp.CommonParams()
    params.model.path = str(options.model)
    if options.mmproj:
        params.mmproj.path = str(options.mmproj)
    params.hostnames, params.port = [options.host], options.port
    params.model_alias = {options.alias}
    params.n_ctx, params.n_parallel = options.context * options.parallel, options.parallel
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.threads
    params.use_jinja = params.endpoint_metrics = True
    params.n_threads_http = HTTP_THREADS
    # It would read the model once more, to see what fits into a card.
    params.fit_params = False
    params.cache_ram_mib = PROMPT_CACHE_MEBIBYTES
    params.verbosity = ERRORS
    # What other people's conversations hold is shown to nobody, and no web page may ask.
    params.ui = params.endpoint_slots = False
    params.cors_origins = ""
    # Without a folder to save to, it erases nothing from memory either. Nothing is saved to this.
    params.slot_save_path = "/dev/null/"
    return xllamacpp.Server(params)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sensorium.engines.llama", description=__doc__)
    parser.add_argument("--model", type=_file, required=True, help="the model, a GGUF file")
    parser.add_argument("--mmproj", type=_file, help="its eyes, a GGUF file")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, required=True, help="the port to listen on")
    parser.add_argument("--alias", required=True, help="the model's name to those who ask")
    parser.add_argument("--context", type=int, default=4096, help="tokens of one conversation")
    parser.add_argument("--parallel", type=int, default=2, help="conversations at once")
    parser.add_argument(
        "--threads",
        type=int,
        default=len(os.sched_getaffinity(0)),
        help="threads (default: all cores)",
    )
    return parser.parse_args()


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


if __name__ == "__main__":
    main()

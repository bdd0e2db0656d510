"""The command line: `sensorium up`, `demo`, `watch`, `listen`, `transcribe` and `models`. It turns
what was typed into calls and what went wrong into one line and an exit code.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click
from mesh.audio.v1.audio_service_pb2 import RecordingSettings, TranscribeSettings
from mesh.jobs.v1.session_service_pb2 import SessionSettings
from mesh.vision.v1.watch_pb2 import WatchSettings
from rich.table import Table

from sensorium import captions, live, transcripts
from sensorium.audio import AudioStream, Microphone, analyze, listen
from sensorium.console import Screen
from sensorium.demo.story import show
from sensorium.edge import Edge
from sensorium.errors import Trouble
from sensorium.launcher import mesh, profiles
from sensorium.launcher.profiles.local import LANGUAGES
from sensorium.video import VideoStream
from sensorium.weights.commands import models

INTERRUPTED: Final = 130
"""The exit code of what was stopped before it was done, as shells have it."""


def main() -> None:
    """Do what was typed; end with code 1 and a plain word when that fails."""
    try:
        commands(prog_name="sensorium")
    except Trouble as trouble:
        click.echo(f"sensorium: {trouble}", err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("sensorium"), message="%(prog)s %(version)s")
def commands() -> None:
    """A self-hosted mesh that sees, hears and reasons."""


commands.add_command(models)

_port = click.option(
    "--port", type=click.IntRange(0, 65_535), default=8080, show_default=True,
    help="The port of the edge, for REST, gRPC and WebSockets. 0 takes a free one.",
)  # fmt: skip
_language = click.option(
    "--language", type=click.Choice(list(LANGUAGES)), default="1.5b", show_default=True,
    help="The size of the local language model.",
)  # fmt: skip
_data = click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path, resolve_path=True),
    help="The folder that keeps the jobs (default: $SENSORIUM_DATA, or the usual place).",
)  # fmt: skip


@commands.command()
@_port
@click.option("--host", default="127.0.0.1", show_default=True,
    help="The address to listen on. Beyond loopback it demands keys: GATEWAY_JWKS_FILE.",
)  # fmt: skip
@_language
@click.option(
    "--profile", "profile_name", type=click.Choice(profiles.NAMES), default="local",
    show_default=True, help="Which engines and models to run.",
)  # fmt: skip
@_data
def up(port: int, host: str, language: str, profile_name: str, data: Path | None) -> None:
    r"""Run the whole mesh on this machine until Ctrl-C.

    \b
    local   Small models from the package registry. The vision model knows
            drawn shop aisles alone.
    cpu     llama.cpp on your GGUF files: VISION_GGUF with VISION_MMPROJ, and
            REASONING_GGUF; left out, the first does both. Tokens of one
            conversation: VISION_CONTEXT, REASONING_CONTEXT (8192).
    gpu     vLLM, of this Python or of VLLM_PYTHON, with VISION_MODEL and
            REASONING_MODEL: folders, or names at a hub. One name in both is
            one server. Cards: VISION_DEVICES, REASONING_DEVICES. Any option
            of vLLM: VISION_VLLM_ARGS, REASONING_VLLM_ARGS.
    ollama  VLM_MODEL and LLM_MODEL of the Ollama at OLLAMA_HOST.

    With every profile, speech is AUDIO_MODEL (whisper-base, or a folder), and a room whose
    VISION_ENGINE_URL (with VISION_MODEL) or REASONING_ENGINE_URL (with REASONING_MODEL) is set
    asks the engine that runs there.
    """
    screen = Screen()
    screen.tell("Starting the mesh ...")
    prepared = mesh.prepare(mesh.Options(host, port, language, profile_name, data), screen)
    asyncio.run(_until_told(_up(prepared, screen)))


async def _up(prepared: mesh.Prepared, screen: Screen) -> None:
    async with mesh.running(prepared, screen) as running:
        screen.console.print(_addresses(running))
        for notice in running.notices:
            screen.tell(notice, "bold yellow")
        screen.tell(f"The mesh is ready in {running.seconds:.1f} s. Ctrl-C stops it.", "bold green")
        await asyncio.Event().wait()


def _addresses(running: mesh.Mesh) -> Table:
    table = Table("what", "where", title="Sensorium")
    table.add_row("REST", f"{running.url}/mesh/v1/")
    table.add_row("gRPC", f"{running.address} (mesh.{{jobs,vision,reasoning,audio}}.v1)")
    table.add_row("vlm-node's clients", f"{running.url}/api/v1/jobs")
    table.add_row("", f"ws://{running.address}/api/v1/ws")
    table.add_row("vlm_server's clients", f"{running.url}/api/v1/generate")
    table.add_row("the caption queue's", f"{running.url}/caption/generate")
    table.add_row("", f"{running.url}/describe")
    table.add_row("VILA's clients", f"ws://{running.address}/vila")
    table.add_row("local models' clients", f"ws://{running.address}/ws/audio")
    table.add_row("", f"{running.url}/vision/frame")
    table.add_row("OpenAI's clients", f"{running.url}/v1")
    table.add_row("every call, for people", f"{running.url}/docs")
    table.add_row("health", f"{running.url}/healthz")
    return table


@commands.command()
@_port
@_language
@_data
@click.option("--url", help="Use the mesh that runs at this address instead of starting one.")
def demo(port: int, language: str, data: Path | None, url: str | None) -> None:
    """Run the main job on the whole mesh, with the truth beside the answers."""
    screen = Screen(least=logging.WARNING)
    options = mesh.Options(port=port, language=language, data=data)
    on = url or mesh.prepare(options, screen)
    if not asyncio.run(_until_told(show(on, screen))):
        sys.exit(INTERRUPTED)


_url = click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="The address of the mesh."
)
_key = click.option(
    "--key", envvar="SENSORIUM_KEY", default="", help="Your key, also $SENSORIUM_KEY."
)


@commands.command("watch")
@click.argument("source")
@click.option("--prompt", default="", help="What to ask of the frames.")
@_url
@_key
@click.option("--window", type=click.IntRange(1, 16), default=1, show_default=True,
    help="How many frames an answer looks at.",
)  # fmt: skip
@click.option("--fps", type=click.FloatRange(0.1, 60), default=30, show_default=True,
    help="The most frames of a second to send.",
)  # fmt: skip
def watch_video(source: str, prompt: str, url: str, key: str, window: int, fps: float) -> None:
    """Ask a mesh about a video as it goes on: a FILE, a camera's number, or an rtsp:// address."""
    camera = source.isdigit()
    stream = VideoStream(
        fps=fps, device_index=int(source) if camera else 0, source=None if camera else source
    )
    settings = WatchSettings(prompt=prompt, window_frames=window)
    work = live.show(stream.frames(), settings, Edge(url, key), Screen())
    if not asyncio.run(_until_told(work)):
        sys.exit(INTERRUPTED)


_spoken = click.option(
    "--language", default="", help="The language spoken, such as en (default: found out)."
)
_hints = click.option("--hint", "hints", multiple=True,
    help="A name or term that may be said, as it should be written; may be given again.",
)  # fmt: skip


@commands.command("listen")
@click.argument("source")
@_spoken
@_hints
@click.option("--fast", is_flag=True, help="Send a file as fast as it is taken.")
@click.option("--analyze", "analyzes", is_flag=True,
    help="Tell at the end what it comes to: in short, decisions, open questions, tasks, risks.",
)  # fmt: skip
@_url
@_key
def listen_live(
    source: str,
    language: str,
    hints: tuple[str, ...],
    fast: bool,
    analyzes: bool,
    url: str,
    key: str,
) -> None:
    """Show what is said while it is said: in a FILE, at a microphone (mic, or mic:NAME as the
    system's sound names it), or in a recording on standard input (-).
    """
    kind, _, name = source.partition(":")
    heard = Microphone(name) if kind == "mic" else sys.stdin.buffer if source == "-" else source
    chunks, edge = AudioStream(heard, fast=fast).chunks(), Edge(url, key)
    told = (
        analyze(chunks, SessionSettings(language=language, hints=hints), edge)
        if analyzes
        else listen(chunks, TranscribeSettings(language=language, hints=hints), edge)
    )
    if not asyncio.run(_until_told(captions.show(told, edge, Screen()))):
        sys.exit(INTERRUPTED)


@commands.command("transcribe")
@click.argument("file", type=click.Path(path_type=Path))
@_spoken
@_hints
@click.option("--format", "kind", type=click.Choice(list(transcripts.FORMATS)), default="text",
    show_default=True, help="How it is written.",
)  # fmt: skip
@_url
@_key
def transcribe_file(
    file: Path, language: str, hints: tuple[str, ...], kind: str, url: str, key: str
) -> None:
    """Write what is said in a FILE, audio or video, of any size: SRT and VTT are subtitles. How far
    it is is told on standard error.
    """
    settings = RecordingSettings(language=language, hints=hints, words=kind == "json")
    if not asyncio.run(_until_told(transcripts.write(file, settings, kind, Edge(url, key)))):
        sys.exit(INTERRUPTED)


async def _until_told(work: Coroutine[Any, Any, None]) -> bool:
    """Run until the first SIGINT or SIGTERM, which ends it in good order; tell if it was done."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    told: list[int] = []

    def stop(number: int) -> None:
        if not told:
            task.cancel()
        told.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
    return not told


if __name__ == "__main__":
    main()

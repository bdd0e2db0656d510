"""The command line: `sensorium up`, `demo`, `watch`, `listen`, `transcribe` and `models`. It turns
what was typed into calls and what went wrong into one line and an exit code.
"""

import asyncio
import logging
import sys
from importlib.metadata import version
from pathlib import Path

import click
from rich.table import Table

from sensorium import clients, stopping
from sensorium.console import Screen
from sensorium.demo.story import show
from sensorium.errors import Trouble
from sensorium.launcher import mesh, profiles
from sensorium.launcher.profiles.local import LANGUAGES
from sensorium.weights.commands import models


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


for _command in (clients.watch_video, clients.listen_live, clients.transcribe_file, models):
    commands.add_command(_command)

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
    stopping.run(_up(prepared, screen), stopped=0)


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
    stopping.run(show(on, screen))


if __name__ == "__main__":
    main()

"""The commands of those who use a mesh that runs, `watch`, `listen` and `transcribe`: what was
typed becomes calls of the client library.
"""

from pathlib import Path
from typing import BinaryIO

import click
from mesh.audio.v1.audio_service_pb2 import RecordingSettings, TranscribeSettings
from mesh.jobs.v1.session_service_pb2 import SessionSettings
from mesh.vision.v1.watch_pb2 import WatchSettings

from sensorium import captions, live, stopping, transcripts
from sensorium.audio import AudioStream, Microphone, analyze, listen
from sensorium.console import Screen
from sensorium.edge import Edge
from sensorium.video import VideoStream

_url = click.option(
    "--url", default="http://127.0.0.1:8080", show_default=True, help="The address of the mesh."
)
_key = click.option(
    "--key", envvar="SENSORIUM_KEY", default="", help="Your key, also $SENSORIUM_KEY."
)


@click.command("watch")
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
    stopping.run(work)


_spoken = click.option(
    "--language", default="", help="The language spoken, such as en (default: found out)."
)
_hints = click.option("--hint", "hints", multiple=True,
    help="A name or term that may be said, as it should be written; may be given again.",
)  # fmt: skip


@click.command("listen")
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
    heard = Microphone(name) if kind == "mic" else _standard_input() if source == "-" else source
    chunks, edge = AudioStream(heard, fast=fast).chunks(), Edge(url, key)
    told = (
        analyze(chunks, SessionSettings(language=language, hints=hints), edge)
        if analyzes
        else listen(chunks, TranscribeSettings(language=language, hints=hints), edge)
    )
    stopping.run(captions.show(told, edge, Screen()))


@click.command("transcribe")
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
    stopping.run(transcripts.write(file, settings, kind, Edge(url, key)))


def _standard_input() -> BinaryIO:
    """Read without the buffer of `sys.stdin`: an interpreter that ends while a thread waits for
    more in that one is aborted.
    """
    return open(0, "rb", buffering=0, closefd=False)

"""What `sensorium transcribe` writes: a transcript as text, JSON or subtitles, and how far it is on
standard error. It does not know how a recording gets to the mesh.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

import click
from google.protobuf.json_format import MessageToJson
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import transcript_pb2
from rich.console import Console
from rich.progress import Progress

from sensorium.audio.recording import file, transcribe
from sensorium.console import plain
from sensorium.edge import Edge
from sensorium.errors import Trouble
from services.chassis.errors import MeshError
from services.dialects import subtitles


async def write(path: Path, settings: pb.RecordingSettings, kind: str, edge: Edge) -> None:
    """Write what is said in a file. Raises `Trouble` in the mesh's words."""
    size = await asyncio.to_thread(_size, path)
    stderr = Console(stderr=True)
    with Progress(console=stderr, transient=True, disable=not stderr.is_terminal) as bars:
        sending = bars.add_task("Sending", total=size)
        hearing = bars.add_task("Listening", total=None, start=False)
        try:
            async with aclosing(transcribe(file(path), settings, edge)) as answers:
                async for answer in answers:
                    match answer.WhichOneof("message"):
                        case "received_bytes":
                            bars.update(sending, completed=answer.received_bytes)
                        case "progress":
                            heard, lasts = answer.progress.heard, answer.progress.duration
                            bars.start_task(hearing)
                            bars.update(
                                hearing,
                                completed=heard.ToMilliseconds(),
                                total=lasts.ToMilliseconds() or None,
                            )
                        case "final":
                            told = FORMATS[kind](answer.final.transcript)
        except MeshError as refused:
            raise Trouble(f"the mesh at {edge.url}: {refused}") from None
    click.echo(told, nl=False)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _text(transcript: transcript_pb2.Transcript) -> str:
    """Each segment on a line of its own, after its speaker."""
    lines = (f"{it.speaker}: {it.text}" if it.speaker else it.text for it in transcript.segments)
    return "".join(f"{plain(line)}\n" for line in lines)


def _json(transcript: transcript_pb2.Transcript) -> str:
    return MessageToJson(transcript, preserving_proto_field_name=True) + "\n"


FORMATS: Final[dict[str, Callable[[transcript_pb2.Transcript], str]]] = {
    "text": _text,
    "json": _json,
    "srt": subtitles.srt,
    "vtt": subtitles.vtt,
}

"""What `sensorium listen` shows: segments with their times and speakers, below them what is being
heard, and at the end the transcript. It knows neither where audio comes from nor how it gets there.
"""

from collections.abc import AsyncIterable, Iterable, Iterator
from datetime import timedelta
from itertools import groupby

from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import transcript_pb2
from rich.live import Live
from rich.text import Text

from sensorium.audio import listen
from sensorium.console import Screen, plain
from sensorium.edge import Edge
from sensorium.errors import Trouble
from services.chassis.errors import MeshError


async def show(
    audio: AsyncIterable[bytes], settings: pb.TranscribeSettings, edge: Edge, screen: Screen
) -> None:
    """Show what the mesh hears until the audio ends. Raises `Trouble` in the mesh's words."""
    try:
        with Live(console=screen.console, transient=True, auto_refresh=False) as below:
            async for heard in listen(audio, settings, edge):
                match heard.WhichOneof("message"):
                    case "partial_text":
                        below.update(_partial(heard.partial_text), refresh=True)
                    case "segment":
                        screen.console.print(_segment(heard.segment))
                    case "final":
                        below.update(Text(), refresh=True)
                        for line in _transcript(heard.final):
                            screen.console.print(line)
    except MeshError as refused:
        raise Trouble(f"the mesh at {edge.url}: {refused}") from None


def _partial(partial: pb.PartialText) -> Text:
    return Text.assemble(plain(partial.committed), (plain(partial.tentative), "dim"))


def _segment(segment: transcript_pb2.Segment) -> Text:
    begin = _clock(segment.start_offset.ToTimedelta())
    end = _clock(segment.end_offset.ToTimedelta())
    speaker = f"{plain(segment.speaker)}  " if segment.speaker else ""
    return Text.assemble((f"{begin} - {end}  ", "cyan"), (speaker, "green"), plain(segment.text))


def _transcript(final: transcript_pb2.Transcript) -> Iterator[Text]:
    language = f", {plain(final.language)}" if final.language else ""
    length = _clock(final.duration.ToTimedelta())
    yield Text(f"\nTranscript ({length}{language})", "bold")
    for speaker, said in groupby(final.segments, key=lambda it: it.speaker):
        yield Text.assemble((f"{plain(speaker)}: " if speaker else "", "green"), _joined(said))


def _joined(segments: Iterable[transcript_pb2.Segment]) -> str:
    return plain(" ".join(it.text for it in segments))


def _clock(at: timedelta) -> str:
    minutes, seconds = divmod(at.total_seconds(), 60)
    return f"{int(minutes):2}:{seconds:04.1f}"

"""What `sensorium listen` shows: segments with their times and speakers, below them what is being
heard, and at the end the transcript and what it comes to. It knows neither where audio comes from
nor how it gets there.
"""

from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from datetime import timedelta
from itertools import groupby
from typing import Any

from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.jobs.v1 import session_pb2
from mesh.types.v1 import finding_pb2, transcript_pb2
from rich.live import Live
from rich.text import Text

from sensorium.console import Screen, plain
from sensorium.edge import Edge
from sensorium.errors import Trouble
from services.chassis.errors import MeshError


async def show(answers: AsyncGenerator[Any, None], edge: Edge, screen: Screen) -> None:
    """Show what `listen` or `analyze` tells, to its end. Raises `Trouble` in the mesh's words."""
    try:
        with Live(console=screen.console, transient=True, auto_refresh=False) as below:
            async with aclosing(answers) as each:
                async for heard in each:
                    _show(heard, below, screen)
    except MeshError as refused:
        raise Trouble(f"the mesh at {edge.url}: {refused}") from None


def _show(heard: Any, below: Live, screen: Screen) -> None:
    lines: Iterable[Text] = ()
    match heard.WhichOneof("message"):
        case "partial_text":
            below.update(_partial(heard.partial_text), refresh=True)
        case "segment":
            # What was being heard is in it; the rest is told anew.
            below.update(Text())
            lines = (_segment(heard.segment),)
        case "final":
            below.update(Text(), refresh=True)
            lines = _transcript(heard.final)
        case "transcript":
            below.update(_waiting(), refresh=True)
        case "progress":
            below.update(_waiting(heard.progress), refresh=True)
        case "analysis":
            below.update(Text(), refresh=True)
            lines = (*_transcript(heard.analysis.transcript), *_analysis(heard.analysis))
    for line in lines:
        screen.console.print(line)


def _partial(partial: pb.PartialText) -> Text:
    return Text.assemble(plain(partial.committed), (plain(partial.tentative), "dim"))


def _waiting(progress: session_pb2.AnalysisProgress | None = None) -> Text:
    done = ""
    if progress is not None and progress.asked:
        done = f" {progress.answered} of {progress.asked} questions are answered"
    return Text(f"What it comes to is being found out ...{done}", "dim")


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


def _analysis(made: session_pb2.SessionAnalysis) -> Iterator[Text]:
    if made.summary:
        yield Text("\nSummary", "bold")
        yield Text(plain(made.summary))
    yield from _findings("Decisions", [(it.text, it) for it in made.decisions])
    yield from _findings("Open questions", [(it.text, it) for it in made.open_questions])
    yield from _findings("To do", [(_task(it), it) for it in made.action_items])
    yield from _findings("Risks", [(it.risk.description, it) for it in made.risks])
    for missing in made.missing:
        yield Text(f"\nMissing: {plain(missing.part)}: {plain(missing.reason)}", "yellow")


def _findings(title: str, found: list[tuple[str, Any]]) -> Iterator[Text]:
    if found:
        yield Text(f"\n{title}", "bold")
    for text, finding in found:
        places = ", ".join(_clock(it.start_offset.ToTimedelta()).strip() for it in finding.evidence)
        yield Text.assemble(f"- {plain(text)} ", (f"({places})", "cyan"))


def _task(item: finding_pb2.ActionItem) -> str:
    return f"{item.title} ({item.owner})" if item.owner else item.title


def _joined(segments: Iterable[transcript_pb2.Segment]) -> str:
    return plain(" ".join(it.text for it in segments))


def _clock(at: timedelta) -> str:
    minutes, tenths = divmod(round(at.total_seconds() * 10), 600)
    return f"{minutes:2}:{tenths / 10:04.1f}"

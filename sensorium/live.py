"""What `sensorium watch` shows: each answer with its age, and what a watcher must know. It knows
neither where frames come from nor how they reach the mesh.
"""

from collections.abc import AsyncIterable

from mesh.vision.v1 import watch_pb2 as pb
from rich.text import Text

from sensorium.console import Screen, plain
from sensorium.edge import Edge
from sensorium.errors import Trouble
from sensorium.video import Frame
from sensorium.watching import watch
from services.chassis.errors import MeshError


async def show(
    frames: AsyncIterable[Frame], settings: pb.WatchSettings, edge: Edge, screen: Screen
) -> None:
    """Show what the mesh says of frames until they end. Raises `Trouble` in the mesh's words."""
    try:
        async for answer in watch(frames, settings, edge):
            told = _told(answer)
            if told is not None:
                screen.console.print(told)
    except MeshError as refused:
        raise Trouble(f"the mesh at {edge.url}: {refused}") from None


def _told(answer: pb.WatchResponse) -> Text | None:
    if answer.HasField("notice"):
        return Text(plain(answer.notice.message), "yellow")
    age = f"{answer.age.ToTimedelta().total_seconds():5.2f} s old  "
    if answer.unchanged:
        return Text(f"{age}nothing new", "dim")
    if answer.done:
        return Text.assemble((age, "cyan"), plain(answer.text))
    return None

"""What a watcher is told when its frames are not answered as they should be, and for how long the
engine is left alone then.
"""

from datetime import timedelta
from typing import Final

from services.chassis.errors import Exhausted, InvalidInput, MeshError
from services.vision.live.domain import Frame, Notice, Reason

NO_ROOM: Final = "NO_ROOM_FOR_FRAMES"
_AGAIN: Final = timedelta(seconds=1)
_REFUSED_AGAIN: Final = timedelta(seconds=10)
"""What the engine refuses it will refuse again, unless the next frames are smaller."""


def waits() -> Notice:
    """The notice of a stream whose turn does not come."""
    message = "the engine has too much to do; the newest frames are answered when their turn comes"
    return Notice(Reason.OVERLOADED, message, Exhausted.reason)


def no_room(frame: Frame) -> Notice:
    """The notice of a frame that could not be kept."""
    message = (
        "all streams together hold as many frames as there is memory for, and this one was"
        " dropped; send smaller frames, or fewer"
    )
    return Notice(Reason.OVERLOADED, message, NO_ROOM, frame_id=frame.id)


def reason(error: MeshError) -> tuple[Reason, timedelta]:
    """Why the engine did not answer, and after what time it is asked again."""
    match error:
        case InvalidInput():
            return Reason.ANSWER_REFUSED, _REFUSED_AGAIN
        case Exhausted():
            return Reason.OVERLOADED, error.retry_after or _AGAIN
        case _:
            return Reason.ENGINE_DOWN, error.retry_after or _AGAIN

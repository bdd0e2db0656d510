"""Streams of requests whose first message is the settings of all that follow. It knows no contract
and no room.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from services.chassis.errors import InvalidInput

Request = TypeVar("Request", bound=Message)
Read = TypeVar("Read")


async def settings(requests: AsyncIterator[Message], context: Any) -> Any:
    """Let a client in and take the settings. Raises `InvalidInput`."""
    # A client writes nothing before it knows that it is let in.
    await context.send_initial_metadata(())
    first: Any = await anext(requests, None)
    if first is None or not first.HasField("settings"):
        raise InvalidInput.field(
            "settings", "is missing in the first message", remedy="send the settings first"
        )
    return first.settings


async def rest(
    requests: AsyncIterator[Request], read: Callable[[Request], Read | None]
) -> AsyncIterator[Read]:
    """Read what follows; what is read as None are settings once more. Raises `InvalidInput`."""
    async for request in requests:
        message = read(request)
        if message is None:
            raise InvalidInput.field(
                "settings", "may only come first", remedy="open another stream for other settings"
            )
        yield message

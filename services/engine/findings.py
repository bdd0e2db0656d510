"""What has been found out about an engine: asked once, refined by its refusals, forgotten when it
goes away, since it may come back as another. It knows no protocol.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from services.chassis.errors import Unavailable
from services.engine.domain import Clip, Message, Picture
from services.engine.errors import Media, MediaRefused
from services.engine.machine import Capabilities


class Findings:
    """The capabilities of an engine that `find` asks for them."""

    def __init__(self, find: Callable[[], Awaitable[Capabilities]]) -> None:
        self._find = find
        self._found: Capabilities | None = None
        self._most: dict[Media, int] = {}
        """The limits that refusals told of."""

    async def capabilities(self) -> Capabilities:
        """Tell what is known by now."""
        if self._found is None:
            with self.watching(()):
                self._found = await self._find()
        return replace(
            self._found,
            pictures=self._most.get(Media.PICTURES, self._found.pictures),
            clips=self._most.get(Media.CLIPS, self._found.clips),
        )

    @contextmanager
    def watching(self, messages: Sequence[Message]) -> Iterator[None]:
        """Learn from how the engine fails to answer these messages in a block."""
        try:
            yield
        except MediaRefused as refused:
            # A limit that was not passed is no reason to refuse: it would be somebody's words.
            if refused.most < _count(messages, refused.media):
                self._most[refused.media] = refused.most
            raise
        except Unavailable:
            self._found = None
            self._most.clear()
            raise


def _count(messages: Sequence[Message], media: Media) -> int:
    kind = Picture if media is Media.PICTURES else Clip
    return sum(isinstance(part, kind) for message in messages for part in message.parts)

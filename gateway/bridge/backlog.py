"""Audio that a room does not hold yet, by its offset in bytes from the start of its session: what
was not acknowledged can be handed over again. Without I/O; it knows no dialect.
"""

from typing import Final

from services.chassis import limits

WINDOW_BYTES: Final = limits.MEBIBYTE
"""How much may be on its way to the room."""
CHUNK_BYTES: Final = 256 * 1024


class Backlog:
    """The audio of one session."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._begin = 0
        self._handed = 0

    def __len__(self) -> int:
        """How many bytes are held here."""
        return len(self._held)

    @property
    def is_handed_over(self) -> bool:
        """Whether all that is held is on its way."""
        return self._handed == self._begin + len(self._held)

    def add(self, data: bytes) -> None:
        """Hold the next bytes."""
        self._held += data

    def begin(self, offset: int) -> None:
        """Tell at which offset begins what is held; nothing was handed over yet."""
        self._begin = self._handed = offset

    def acknowledge(self, offset: int) -> None:
        """Let go of what comes before an offset."""
        offset = min(offset, self._begin + len(self._held))
        if offset > self._begin:
            del self._held[: offset - self._begin]
            self._begin = offset
            self._handed = max(self._handed, offset)

    def rewind(self) -> None:
        """Hand over again what was not acknowledged."""
        self._handed = self._begin

    def take(self) -> tuple[int, bytes] | None:
        """The next chunk to hand over, with its offset. None: nothing now."""
        at = self._handed - self._begin
        most = min(CHUNK_BYTES, WINDOW_BYTES - at)
        if most <= 0 or not (data := bytes(self._held[at : at + most])):
            return None
        offset, self._handed = self._handed, self._handed + len(data)
        return offset, data

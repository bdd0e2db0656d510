"""Pictures on vlm-node's socket that wait for an answer, in bounds. It knows no socket."""

from collections import deque
from dataclasses import dataclass, field

from services.chassis import limits


@dataclass(frozen=True)
class Batch:
    """Pictures that are answered together."""

    prompt: str
    pictures: tuple[bytes, ...]

    @property
    def held(self) -> int:
        """What they take, in bytes."""
        return sum(map(len, self.pictures))


@dataclass
class Pending:
    """Pictures that are not in a batch yet, within the bounds of one request."""

    pictures: deque[bytes] = field(default_factory=deque)
    held: int = 0

    def fits(self, picture: bytes) -> bool:
        """Whether a picture goes into the same request."""
        return (
            len(self.pictures) < limits.IMAGES_PER_REQUEST
            and self.held + len(picture) <= limits.BODY_BYTES
        )

    def add(self, picture: bytes) -> None:
        """Take a picture; the oldest make room for it."""
        self.pictures.append(picture)
        self.held += len(picture)
        while len(self.pictures) > limits.IMAGES_PER_REQUEST or self.held > limits.BODY_BYTES:
            self.held -= len(self.pictures.popleft())

    def take(self) -> tuple[bytes, ...]:
        """Give them all."""
        taken = tuple(self.pictures)
        self.pictures.clear()
        self.held = 0
        return taken

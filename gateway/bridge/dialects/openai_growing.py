"""Text that is heard live, as the pieces by which it grows: what was told is never taken back."""

from mesh.audio.v1 import audio_service_pb2 as pb


class Growing:
    """The text of a session so far: segments, and the committed words that will be in the next."""

    def __init__(self) -> None:
        self._segments = 0
        """The characters of all segments; spaces are never counted."""
        self._told = 0
        """The characters after them that were told."""

    def grow(self, answer: pb.TranscribeResponse) -> str:
        """Take an answer of the room; what is new in the text, or nothing."""
        match answer.WhichOneof("message"):
            case "segment":
                new = self._new(answer.segment.text)
                length = _length(answer.segment.text)
                self._segments, self._told = self._segments + length, self._told - length
                return new
            case "partial_text":
                return self._new(answer.partial_text.committed)
            case "final":
                return _after(answer.final.text, self._segments + self._told)
            case _:
                return ""

    def _new(self, text: str) -> str:
        new = _after(f" {text}" if self._segments and text else text, self._told)
        self._told += _length(new)
        return new


def _after(text: str, count: int) -> str:
    """What follows so many characters that are no spaces: between segments of a language that is
    written without spaces there is one, between its words there is none.
    """
    for place, character in enumerate(text):
        if not count:
            return text[place:]
        count -= not character.isspace()
    return ""


def _length(text: str) -> int:
    return sum(not it.isspace() for it in text)

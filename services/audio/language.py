"""Which language is spoken, as more and more is heard of it. It knows no engine."""

from collections import defaultdict
from typing import Final

SURE_SECONDS: Final = 5.0
"""The speech after which a language that was found is kept. In less a model guesses, and a wrong
guess that is kept would spoil all that follows.
"""


class Language:
    """The language of one session or recording, which may have been `named`."""

    def __init__(self, named: str) -> None:
        self.kept = named
        """What all that follows is to be heard in. Empty: to be found out once more."""
        self._heard = defaultdict[str, float](float)

    @property
    def likeliest(self) -> str:
        """The one kept, else the one that was heard for longest. Empty: none was."""
        return self.kept or max(self._heard, key=self._heard.__getitem__, default="")

    def hear(self, language: str, seconds: float) -> None:
        """Take note of so many seconds of speech in which a language was found, or none."""
        if self.kept or not language:
            return
        self._heard[language] += seconds
        if self._heard[language] >= SURE_SECONDS:
            self.kept = language

"""Live hearing without I/O: audio goes in, windows for the model come out, what it heard in them
goes in, and text comes out that grows from tentative to committed to segments.

A word is committed when two passes over a growing window agree on it (local agreement), or when its
speaker has paused; it never changes afterwards. Windows begin where somebody speaks and are cut at
committed words, so that silence costs nothing and a pass never more than half a minute. It knows no
clock, no session and no engine. It is long because every step reads and moves the same places in
one window: parts of it would have to share all of its state.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.audio import agreement
from services.audio.domain import Segment, Transcript, Voicing, Wish, Word, segment_of
from services.audio.language import SURE_SECONDS, Language
from services.audio.ports import VOICE_FRAME, Asked, Care
from services.media.audio import SAMPLE_RATE_HZ, Samples

FIRST_SECONDS: Final = 0.8
"""The speech before the first pass: in less, a model hears what is not there."""
STEP_SECONDS: Final = 0.6
"""The new audio before another pass."""
PAUSE_SECONDS: Final = 0.7
"""The silence that ends an utterance: longer than a breath."""
TRIM_SECONDS: Final = 8.0
"""From this length on a window is cut at the end of a committed sentence: with twelve, passes cost
half as much again and err no less.
"""
CUT_SECONDS: Final = 18.0
"""From this length on a window is cut at any committed word."""
MOST_SECONDS: Final = 26.0
"""At this length a window is cut wherever the last pass has come: Whisper hears thirty seconds."""
_MARGIN_SECONDS: Final = 0.3
"""What is kept around speech, since the onset of a word is quiet."""
_ON, _OFF = 0.5, 0.35
"""Silero's own thresholds for the beginning of a voice and its end."""
_CONTEXT_CHARACTERS: Final = 200
_REMEMBERED: Final = 5


@dataclass(frozen=True)
class Window:
    """A stretch of audio to be heard by the model."""

    samples: Samples
    asked: Asked
    start_seconds: float
    """Where it begins in the session."""

    @property
    def end_seconds(self) -> float:
        """Where it ends in the session."""
        return self.start_seconds + len(self.samples) / SAMPLE_RATE_HZ


class Hearing:
    """One session's audio on its way to text. Ask for `window` after each call of the others."""

    def __init__(self, wish: Wish) -> None:
        self.segments: list[Segment] = []
        """What will not change any more, in order of time."""
        self.voicings: list[Voicing] = []
        """Who speaks when, in turns: a begin, then its pause."""
        self.passes = 0
        """How many windows were heard."""
        self._wish = wish
        self._language = Language(wish.language)
        self._found = wish.language
        """The language of the last window in which something was said."""
        self._fed = 0
        self._blocks = deque[Samples]()
        """Audio that was not judged yet."""
        self._judgements = deque[float]()
        self._audio = np.empty(0, np.float32)
        """The window: what is being said, or the margin before it."""
        self._start = 0
        self._voiced_until: int | None = None
        """Where in the session the last voice was. None: nobody speaks."""
        self._spoke_at = 0
        self._passed_until = 0
        self._paused = self._ended = False
        self._committed: list[Word] = []
        """The words of the window that will not change."""
        self._told = 0
        """How many of them are in segments."""
        self._tentative: list[Word] = []
        self._before: list[Word] = []
        """The last words that were cut off before the window."""

    def has_voicing(self, place: int, segments: int) -> bool:
        """Whether there is one at this place, and it comes before any segment but these."""
        return place < len(self.voicings) and self.voicings[place].segments <= segments

    @property
    def committed(self) -> list[Word]:
        """The words after the last segment that will not change."""
        return self._committed[self._told :]

    @property
    def tentative(self) -> list[Word]:
        """The words after those that may still change."""
        return self._tentative

    @property
    def seconds(self) -> float:
        """All audio so far."""
        return self._fed / SAMPLE_RATE_HZ

    @property
    def waiting_seconds(self) -> float:
        """The audio that no pass has heard yet and that is not known to be silence."""
        unjudged = sum(map(len, self._blocks))
        new = self._end - max(self._passed_until, self._start) if self._speaking else 0
        return (unjudged + max(new, 0)) / SAMPLE_RATE_HZ

    @property
    def transcript(self) -> Transcript:
        """What was heard so far in segments."""
        language = self._language.likeliest or self._found
        return Transcript(tuple(self.segments), language, self.seconds)

    @property
    def is_behind(self) -> bool:
        """Whether there is more to do without new audio."""
        return self._paused or (self._is_full and self._passed_until < self._end)

    @property
    def is_ended(self) -> bool:
        """Whether everything was heard and no more comes."""
        return self._ended and not self._speaking and not self._judgements

    @property
    def _speaking(self) -> bool:
        return self._voiced_until is not None

    @property
    def _end(self) -> int:
        return self._start + len(self._audio)

    def feed(self, samples: Samples, voices: Sequence[float]) -> None:
        """Take the next audio, with the judgements on the frames that it filled."""
        self._fed += len(samples)
        if len(samples):
            self._blocks.append(samples)
        self._judgements.extend(voices)

    def end(self) -> None:
        """Take no more: what was said is complete."""
        self._ended = True

    def window(self, *, stalled: bool = False) -> Window | None:
        """The next stretch to be heard, if there is enough of it. `stalled`: no more may come soon,
        so less is enough. None after the end: the transcript is complete.
        """
        while True:
            self._advance()
            if not self._speaking:
                return None
            if self._paused:
                if window := self._closing():
                    return window
                self._close()
                continue
            return self._growing(stalled)

    def heard(self, window: Window, language: str, words: Sequence[Word]) -> None:
        """Take what the model heard in the last window, its words in the window's own time."""
        self.passes += 1
        self._passed_until = round(window.end_seconds * SAMPLE_RATE_HZ)
        self._learn(language, window)
        found = self._placed(words, window)
        rest = found[agreement.known(self._committed, found, self._before) :]
        if self._paused:
            self._tentative = rest
            self._close()
            return
        agreed = agreement.prefix(self._tentative, rest)
        while agreed and rest[agreed - 1].end_seconds > window.end_seconds - 0.1:
            agreed -= 1  # What touches the end may be half a word, or a loop.
        self._commit(rest[:agreed], rest[agreed:])
        self._trim()

    def _advance(self) -> None:
        """Judge what was fed, until a pause or a full window asks for a pass."""
        while self._judgements and not self._paused and not self._is_full:
            self._judge(self._take(VOICE_FRAME), self._judgements.popleft())
        if self._ended and not self._judgements and not self._paused:
            if self._speaking:
                self._audio = np.concatenate([self._audio, *self._blocks])
                self._voiced_until = max(self._voiced_until or 0, self._end)
            else:
                self._drop_until(self._end + sum(map(len, self._blocks)))
            self._blocks.clear()
            self._paused = self._speaking

    def _take(self, count: int) -> Samples:
        taken = list[Samples]()
        while count:
            block = self._blocks.popleft()
            if len(block) > count:
                self._blocks.appendleft(block[count:])
                block = block[:count]
            taken.append(block)
            count -= len(block)
        return np.concatenate(taken)

    def _judge(self, frame: Samples, voice: float) -> None:
        begins = self._end
        self._audio = np.concatenate([self._audio, frame])
        if voice >= _ON or (self._speaking and voice >= _OFF):
            if not self._speaking:
                self._spoke_at = begins
                self._drop_until(begins - _samples(_MARGIN_SECONDS))
                self._voice(True, self._start)
            self._voiced_until = self._end
        elif self._voiced_until is None:
            self._drop_until(self._end - _samples(_MARGIN_SECONDS))
        elif self._end - self._voiced_until >= _samples(PAUSE_SECONDS):
            self._paused = True

    @property
    def _is_full(self) -> bool:
        return self._speaking and len(self._audio) >= _samples(MOST_SECONDS)

    def _growing(self, stalled: bool) -> Window | None:
        heard_any = self._passed_until > self._spoke_at
        since = self._end - (self._passed_until if heard_any else self._spoke_at)
        enough = STEP_SECONDS if heard_any else FIRST_SECONDS
        if since >= _samples(enough) or (since > 0 and (stalled or self._is_full)):
            return self._windowed(self._end, Care.QUICK)
        return None

    def _closing(self) -> Window | None:
        """The whole utterance, unless the last pass heard it to its end already."""
        assert self._voiced_until is not None  # noqa: S101 - paused
        if self._passed_until >= self._voiced_until + _samples(_MARGIN_SECONDS):
            return None
        until = min(self._voiced_until + _samples(_MARGIN_SECONDS), self._end)
        return self._windowed(until, Care.CLOSING)

    def _windowed(self, until: int, care: Care) -> Window:
        asked = Asked(self._language.kept, self._wish.hints, self._context(), care)
        samples = self._audio[: until - self._start]
        return Window(samples, asked, self._start / SAMPLE_RATE_HZ)

    def _context(self) -> str:
        before = self.segments[-8:] if not self._told else []
        return " ".join(it.text for it in before)[-_CONTEXT_CHARACTERS:]

    def _learn(self, language: str, window: Window) -> None:
        seconds = window.end_seconds - window.start_seconds
        if seconds >= SURE_SECONDS:
            self._language.hear(language, seconds)
        self._found = language or self._found

    def _placed(self, words: Sequence[Word], window: Window) -> list[Word]:
        """Words in the session's time and in order; those after the last voice were never said."""
        assert self._voiced_until is not None  # noqa: S101 - windows come from speech
        latest = min(window.end_seconds, self._voiced_until / SAMPLE_RATE_HZ + _MARGIN_SECONDS)
        placed, earliest = list[Word](), window.start_seconds
        for word in words:
            start = max(window.start_seconds + word.start_seconds, earliest)
            if start >= latest:
                break
            end = min(max(window.start_seconds + word.end_seconds, start), latest)
            placed.append(Word(start, end, word.text, word.confidence))
            earliest = end
        return placed

    def _commit(self, words: Sequence[Word], rest: Sequence[Word]) -> None:
        self._committed += words
        self._tentative = list(rest)
        self._tell(agreement.last_sentence(self._committed))

    def _voice(self, speaking: bool, place: int) -> None:
        self.voicings.append(Voicing(speaking, place / SAMPLE_RATE_HZ, len(self.segments)))

    def _tell(self, count: int) -> None:
        """Make segments of the committed words up to a number of them."""
        for sentence in agreement.sentences(self._committed[self._told : count]):
            self.segments.append(segment_of(sentence, self._found))
        self._told = max(self._told, count)

    def _trim(self) -> None:
        seconds = len(self._audio) / SAMPLE_RATE_HZ
        cut = 0
        if seconds >= TRIM_SECONDS:
            cut = agreement.last_sentence(self._committed)
        if seconds >= CUT_SECONDS and not cut:
            cut = len(self._committed)
        if seconds >= MOST_SECONDS and not cut:
            self._commit(self._tentative, ())
            cut = len(self._committed)
        if cut:
            self._tell(cut)
            self._drop_until(round(self._committed[cut - 1].end_seconds * SAMPLE_RATE_HZ))
            self._before = self._committed[:cut][-_REMEMBERED:]
            self._committed, self._told = self._committed[cut:], 0
        elif seconds >= MOST_SECONDS:
            # A voice without words, such as a song: nothing is lost with it.
            self._drop_until(self._end - _samples(_MARGIN_SECONDS))

    def _close(self) -> None:
        self._commit(self._tentative, ())
        self._tell(len(self._committed))
        if self._told:
            spoken = self._committed[-1].end_seconds - self._committed[0].start_seconds
            self._language.hear(self._found, spoken)
        self._committed, self._told, self._before = [], 0, []
        self._voice(False, self._voiced_until or 0)
        self._drop_until(self._end - _samples(_MARGIN_SECONDS))
        self._voiced_until, self._paused = None, False
        self._passed_until = self._end

    def _drop_until(self, place: int) -> None:
        place = max(place, self._start)
        self._audio = self._audio[place - self._start :]
        self._start = max(place, self._start)


def _samples(seconds: float) -> int:
    return int(seconds * SAMPLE_RATE_HZ)

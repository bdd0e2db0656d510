"""Windows of several speakers heard by Whisper together, each with its own language and its own
words before it. It knows neither sessions nor whose a window is.

What costs most is decoding, word by word: a step for four costs little more than a step for one.
Encoding saves nothing in batches and so is done window by window. Windows are decoded together when
the engine can: when they are of the same length, and so is what was said before. Both are rounded,
whoever else waits, so that a window is heard the same alone and together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from services.audio.domain import Word
from services.audio.ports import Asked, Care, Stretch
from services.media.audio import SAMPLE_RATE_HZ

FRAMES_PER_SECOND: Final = 100
_WHOLE_FRAMES: Final = 3_000
_LEAST_FRAMES: Final = 1_000
_FRAMES_STEP: Final = 200
_TAIL_SECONDS: Final = 3.0
"""The silence after a short window: with less, the model does not stop in time, and errs more."""
_CLOSING_TAIL_SECONDS: Final = 6.0
"""The same where nothing corrects it: with three, last sentences were lost; thirty seconds in all
heard no better and cost twice as much.
"""
_TOKENS_PER_SECOND: Final = 6
"""Nobody speaks more; a model that loops would."""
_SPARE_TOKENS: Final = 16
_PROMPT_TOKENS: Final = 112
"""What is told of hints and of context, each: together half of what the decoder holds."""
_PROMPT_STEP: Final = 16
_BEAMS: Final = {Care.QUICK: 1, Care.CLOSING: 5}
_TAILS: Final = {Care.QUICK: _TAIL_SECONDS, Care.CLOSING: _CLOSING_TAIL_SECONDS}
_SECOND_TEMPERATURE: Final = 0.4
"""A text that repeats itself is tried once more, not five times: somebody waits for it."""
_LEAST_LIKELY, _MOST_REPEATED, _SILENT = -1.0, 2.4, 0.6
"""Whisper's own thresholds for what was not heard well."""
_LONGEST_USUAL_WORD: Final = 0.7
_BEFORE_WORDS, _AFTER_WORDS = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - as written
_SENTENCE_ENDS: Final = tuple(".。!！?？")  # noqa: RUF001 - as written

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Window:
    place: int
    """Among the stretches."""
    asked: Asked
    seconds: float
    encoded: Array
    """Of one window, some frames and the model's own width."""
    language: str
    prompt: list[int]

    @property
    def shape(self) -> tuple[Care, int, int]:
        return self.asked.care, self.encoded.shape[1], len(self.prompt)


@dataclass(frozen=True)
class _Decoded:
    tokens: list[int]
    text: str
    likely: float
    repeated: float
    silent: float

    @property
    def is_doubtful(self) -> bool:
        if self.is_silence:
            return False
        return self.repeated > _MOST_REPEATED or self.likely < _LEAST_LIKELY

    @property
    def is_silence(self) -> bool:
        return self.silent > _SILENT and self.likely <= _LEAST_LIKELY


def frames_for(seconds: float, tail: float = _TAIL_SECONDS) -> int:
    """Tell how many frames of Whisper's are enough to hear so many seconds and silence after."""
    frames = int((seconds + tail) * FRAMES_PER_SECOND)
    stepped = -(-frames // _FRAMES_STEP) * _FRAMES_STEP
    return min(_WHOLE_FRAMES, max(_LEAST_FRAMES, stepped))


class Windows:
    """Hears windows with one model of faster-whisper's."""

    def __init__(self, whisper: Any) -> None:
        from faster_whisper import tokenizer, transcribe  # type: ignore[import-untyped]

        self._whisper = whisper
        self._model = whisper.model
        self._library = transcribe
        self._make_tokenizer = tokenizer.Tokenizer
        self._tokenizers = dict[str, Any]()

    def hear(self, stretches: Sequence[Stretch]) -> list[tuple[str, list[Word]]]:
        """Hear each: its language, and its words in its own time."""
        windows = [self._window(place, it) for place, it in enumerate(stretches)]
        heard: list[tuple[str, list[Word]]] = [(it.language, []) for it in windows]
        for _, group in groupby(sorted(windows, key=_shape), key=_shape):
            for window, decoded in self._decoded(list(group)):
                if not decoded.is_silence:
                    words = self._words(window, decoded.tokens)
                    heard[window.place] = window.language, words
        return heard

    def _window(self, place: int, stretch: Stretch) -> _Window:
        seconds = len(stretch.samples) / SAMPLE_RATE_HZ
        frames = frames_for(seconds, _TAILS[stretch.asked.care])
        features = self._whisper.feature_extractor(stretch.samples)[:, :-1][:, :frames]
        padded = np.pad(features, ((0, 0), (0, frames - features.shape[1])))
        encoded = self._model.encode(
            self._library.get_ctranslate2_storage(padded[None]), to_cpu=True
        )
        language = stretch.asked.language or self._language(encoded)
        prompt = self._prompt(self._tokenizer(language), stretch.asked)
        return _Window(place, stretch.asked, seconds, np.asarray(encoded), language, prompt)

    def _language(self, encoded: Any) -> str:
        if not self._model.is_multilingual:
            return "en"
        likeliest, _ = self._model.detect_language(encoded)[0][0]
        return str(likeliest[2:-2])

    def _tokenizer(self, language: str) -> Any:
        if language not in self._tokenizers:
            self._tokenizers[language] = self._make_tokenizer(
                self._whisper.hf_tokenizer,
                self._model.is_multilingual,
                task="transcribe",
                language=language,
            )
        return self._tokenizers[language]

    def _prompt(self, tokenizer: Any, asked: Asked) -> list[int]:
        hints = _encoded(tokenizer, ", ".join(asked.hints))[:_PROMPT_TOKENS]
        context = _encoded(tokenizer, asked.context)[-_PROMPT_TOKENS:]
        rounded = (len(hints) + len(context)) // _PROMPT_STEP * _PROMPT_STEP
        before = [*hints, *context[len(context) - max(rounded - len(hints), 0) :]]
        begin = [tokenizer.sot_prev, *before] if before else []
        return [*begin, *tokenizer.sot_sequence, tokenizer.no_timestamps]

    def _decoded(self, windows: Sequence[_Window]) -> Iterable[tuple[_Window, _Decoded]]:
        for window, decoded in zip(windows, self._generated(windows), strict=True):
            again = decoded
            if window.asked.care is Care.CLOSING and decoded.is_doubtful:
                (again,) = self._generated([window], temperature=_SECOND_TEMPERATURE)
            yield window, max(decoded, again, key=_trust)

    def _generated(
        self, windows: Sequence[_Window], temperature: float = 0.0
    ) -> Iterable[_Decoded]:
        first, tokenizer = windows[0], self._tokenizer(windows[0].language)
        # The same for all windows of a length, not only of a batch.
        seconds = first.encoded.shape[1] * 2 / FRAMES_PER_SECOND
        most = int(seconds * _TOKENS_PER_SECOND) + _SPARE_TOKENS
        sampled = {"sampling_topk": 0, "sampling_temperature": temperature, "num_hypotheses": 5}
        results = self._model.generate(
            self._library.get_ctranslate2_storage(np.concatenate([it.encoded for it in windows])),
            [it.prompt for it in windows],
            beam_size=1 if temperature else _BEAMS[first.asked.care],
            max_length=min(len(first.prompt) + most, self._whisper.max_length),
            suppress_tokens=self._library.get_suppressed_tokens(tokenizer, [-1]),
            return_scores=True,
            return_no_speech_prob=True,
            **(sampled if temperature else {}),
        )
        for result in results:
            tokens = result.sequences_ids[0]
            text = tokenizer.decode(tokens).strip()
            # The engine gives the mean of the tokens; the end of the text counts too.
            likely = result.scores[0] * len(tokens) / (len(tokens) + 1)
            repeated = self._library.get_compression_ratio(text)
            yield _Decoded(tokens, text, likely, repeated, result.no_speech_prob)

    def _words(self, window: _Window, tokens: list[int]) -> list[Word]:
        tokenizer = self._tokenizer(window.language)
        spoken = [it for it in tokens if it < tokenizer.eot]
        encoded = self._library.get_ctranslate2_storage(window.encoded)
        frames = int(np.ceil(window.seconds * FRAMES_PER_SECOND))
        (timed,) = self._whisper.find_alignment(tokenizer, [spoken], encoded, [frames])
        _shorten(timed)
        self._library.merge_punctuations(timed, _BEFORE_WORDS, _AFTER_WORDS)
        return [
            Word(float(it["start"]), float(it["end"]), it["word"], float(it["probability"]))
            for it in timed
            if it["word"].strip()
        ]


def _encoded(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(" " + text.strip())) if text.strip() else []


def _shape(window: _Window) -> tuple[Care, int, int]:
    return window.shape


def _trust(decoded: _Decoded) -> tuple[bool, float]:
    return decoded.repeated <= _MOST_REPEATED, decoded.likely


def _shorten(timed: list[dict[str, Any]]) -> None:
    """Let no word last long that follows a pause: its beginning is the pause."""
    lasting = [it["end"] - it["start"] for it in timed if it["end"] > it["start"]]
    if not lasting:
        return
    longest = 2 * min(_LONGEST_USUAL_WORD, float(np.median(lasting)))
    for place, word in enumerate(timed):
        if word["word"].strip() in _SENTENCE_ENDS:
            word["end"] = min(word["end"], word["start"] + longest)
        elif not place or timed[place - 1]["word"].strip() in _SENTENCE_ENDS:
            word["start"] = max(word["start"], word["end"] - longest)

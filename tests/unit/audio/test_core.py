import asyncio
import itertools
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from services.audio import recordings
from services.audio.core import Audio
from services.audio.domain import Reached, Received, Segment, Transcription, Wish
from services.audio.live import Chunk, End
from services.audio.ports import Heard
from services.audio.sessions import Bounds
from services.chassis.clock import SystemClock
from services.chassis.errors import Exhausted, InvalidInput, TimedOut, Unavailable
from services.chassis.limits import MEBIBYTE
from services.media.audio import SAMPLE_RATE_HZ
from tests.doubles.diarizer_fake import FakeDiarizer
from tests.doubles.recordings import encoded, silence, tone
from tests.doubles.transcriber_fake import FakeTranscriber

SECOND = encoded(tone(1))


async def happened(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


class Watched(FakeTranscriber):
    """Notes each pass, and holds all of them while `held`."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.passes: list[tuple[float, str]] = []
        self.at_once = self.most_at_once = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        self.go.clear()
        try:
            yield
        finally:
            self.go.set()

    def transcribe(self, samples, asked):
        self.passes.append((len(samples) / SAMPLE_RATE_HZ, asked.language))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.entered.set()
        assert self.go.wait(10)
        self.at_once -= 1
        return super().transcribe(samples, asked)


@pytest.fixture
def ears():
    return Watched()


@pytest.fixture
async def core(ears):
    async with Audio(ears, recordings_at_once=2) as core:
        yield core


async def test_speech_becomes_segments_with_their_times(core):
    recording = encoded(np.concatenate([silence(1), tone(2), silence(1), tone(1)]))
    transcript = (await core.transcribe(recording)).transcript
    assert [(it.start_seconds, it.end_seconds, it.text) for it in transcript.segments] == [
        (1.0, 3.0, "2.0 seconds of speech"),
        (4.0, 5.0, "1.0 seconds of speech"),
    ]
    assert transcript.text == "2.0 seconds of speech 1.0 seconds of speech"
    assert transcript.language == "en"
    assert transcript.duration_seconds == 5


async def test_times_of_later_pieces_count_from_the_start_of_the_recording(core, ears):
    recording = encoded(np.concatenate([silence(10), tone(2), silence(330), tone(3), silence(5)]))
    transcript = (await core.transcribe(recording)).transcript
    assert len(ears.passes) == 2
    spans = [(it.start_seconds, it.end_seconds) for it in transcript.segments]
    assert np.allclose(spans, [(10, 12), (342, 345)], atol=0.11)
    assert transcript.duration_seconds == 350


async def test_the_language_found_is_kept_for_the_rest(core, ears):
    speech = [silence(310), tone(6), silence(300), tone(2)]
    await core.transcribe(encoded(np.concatenate(speech)))
    assert [language for _, language in ears.passes] == ["", "", "en"]


async def test_a_language_guessed_from_a_word_or_two_is_not_kept():
    class Guessing(Watched):
        def transcribe(self, samples, asked):
            guess = "de" if not self.passes else "fr"
            return super().transcribe(samples, replace(asked, language=asked.language or guess))

    ears = Guessing()
    speech = [silence(10), tone(1), silence(310), tone(6), silence(310), tone(2)]
    async with Audio(ears) as core:
        transcript = (await core.transcribe(encoded(np.concatenate(speech)))).transcript
    assert [it.language for it in transcript.segments] == ["de", "fr", "fr"]
    assert transcript.language == "fr"


async def test_a_language_that_was_named_is_not_looked_for(core, ears):
    transcript = (await core.transcribe(SECOND, Wish("de"))).transcript
    assert transcript.language == "de"
    assert ears.passes == [(1.0, "de")]


async def test_a_language_unknown_to_the_model_is_refused_with_some_that_are_known(core):
    with pytest.raises(InvalidInput, match="3 languages, such as en, fr, de") as refused:
        await core.transcribe(SECOND, Wish("tlh"))
    assert [it.field for it in refused.value.violations] == ["language"]


async def test_silence_is_an_empty_transcript(core):
    transcript = (await core.transcribe(encoded(silence(3)))).transcript
    assert (transcript.text, transcript.segments, transcript.language) == ("", (), "")
    assert transcript.duration_seconds == 3


async def test_what_is_no_recording_is_refused_and_the_room_goes_on(core):
    for _ in range(5):
        with pytest.raises(InvalidInput, match="audio: is not a recording"):
            await core.transcribe(b"hello")
    assert (await core.transcribe(SECOND)).transcript.segments


async def test_a_recording_too_many_is_refused_at_once_and_told_when_to_come_back(core, ears):
    with ears.held():
        busy = [asyncio.create_task(core.transcribe(SECOND)) for _ in range(2)]
        await happened(ears.entered)
        with pytest.raises(Exhausted) as refused:
            await core.transcribe(SECOND)
        assert refused.value.retry_after
    await asyncio.gather(*busy)
    assert (await core.transcribe(SECOND)).transcript.segments


async def test_passes_of_the_model_never_overlap(core, ears):
    await asyncio.gather(core.transcribe(SECOND), core.transcribe(SECOND))
    assert len(ears.passes) == 2
    assert ears.most_at_once == 1


async def test_a_short_recording_takes_its_turn_between_the_pieces_of_a_long_one(core, ears):
    with ears.held():
        long = asyncio.create_task(core.transcribe(encoded(tone(400))))
        await happened(ears.entered)
        short = asyncio.create_task(core.transcribe(SECOND))
        await asyncio.to_thread(waits_in_line, core)
    await asyncio.gather(long, short)
    lengths = [seconds for seconds, _ in ears.passes]
    assert lengths.index(1.0) == 1
    assert len(lengths) >= 3


class Batches(FakeTranscriber):
    """Takes long for each segment, as a batch does, and notes whose it is."""

    def __init__(self) -> None:
        self.heard: list[float] = []
        self.entered = threading.Event()
        self.go = threading.Event()

    def transcribe(self, samples, asked):
        return Heard("en", self._segments(len(samples) / SAMPLE_RATE_HZ))

    def _segments(self, seconds):
        for number in range(3):
            self.heard.append(seconds)
            self.entered.set()
            assert self.go.wait(10)
            yield Segment(number, number + 1, "word")


async def test_recordings_take_turns_after_each_batch():
    ears = Batches()
    async with Audio(ears, clock=Hasty()) as core:
        one = asyncio.create_task(core.transcribe(encoded(tone(1))))
        await happened(ears.entered)
        other = asyncio.create_task(core.transcribe(encoded(tone(2))))
        await asyncio.to_thread(waits_in_line, core)
        ears.go.set()
        made = await asyncio.gather(one, other)
    assert [len(it.transcript.segments) for it in made] == [3, 3]
    assert ears.heard == [1, 2, 1, 2, 1, 2]


class Hasty(SystemClock):
    """An hour passes between any two looks at it."""

    def __init__(self) -> None:
        self.hours = itertools.count(1)

    def monotonic(self) -> float:
        return 3_600.0 * next(self.hours)


def waits_in_line(core: Audio) -> None:
    deadline = threading.Event()
    for _ in range(1_000):
        if core._turns.waiting:
            return
        deadline.wait(0.01)
    raise AssertionError("the second recording never reached the model's line")


async def test_the_event_loop_is_free_while_the_model_works(core, ears):
    with ears.held():
        busy = asyncio.create_task(core.transcribe(SECOND))
        await happened(ears.entered)
        assert (await core.model()).ready
        await core.health()
    await busy


class Talkative(FakeTranscriber):
    """Hears a hundred segments in anything, and waits after the first."""

    def __init__(self) -> None:
        self.read = 0
        self.first = threading.Event()
        self.go = threading.Event()

    def transcribe(self, samples, asked):
        return Heard("en", self._segments())

    def _segments(self):
        for number in range(100):
            self.read += 1
            yield Segment(number, number + 1, "word")
            self.first.set()
            assert self.go.wait(10)


async def test_a_cancelled_call_stops_at_the_next_segment_and_frees_its_place():
    ears = Talkative()
    async with Audio(ears, recordings_at_once=1) as core:
        call = asyncio.create_task(core.transcribe(SECOND))
        await happened(ears.first)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert ears.read == 1
        ears.go.set()
        await core.transcribe(SECOND)
        assert ears.read == 2 + 100


class Confused(FakeTranscriber):
    """Gives times outside the audio, backwards and overlapping."""

    def transcribe(self, samples, asked):
        spans = [(-3.0, 2.0), (1.0, 4.0), (9.0, 5.0), (80.0, 90.0)]
        return Heard("en", (Segment(start, end, "word") for start, end in spans))


async def test_times_that_a_model_misjudged_are_put_in_order_within_the_recording():
    async with Audio(Confused()) as core:
        transcript = (await core.transcribe(encoded(tone(10)))).transcript
    spans = [(it.start_seconds, it.end_seconds) for it in transcript.segments]
    assert spans == [(0, 2), (2, 4), (9, 9), (10, 10)]


class Slow(FakeTranscriber):
    """Is loaded when told, well or not."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.go = threading.Event()
        self.failure = failure

    def load(self):
        assert self.go.wait(10)
        if self.failure:
            raise self.failure


async def test_the_room_is_healthy_once_its_model_is_loaded_and_calls_wait_for_it():
    ears = Slow()
    async with Audio(ears) as core:
        call = asyncio.create_task(core.transcribe(SECOND))
        with pytest.raises(Unavailable, match="being loaded"):
            await core.health()
        assert not (await core.model()).ready
        ears.go.set()
        assert (await call).transcript.segments
        await core.health()
        assert (await core.model()).ready


async def test_a_caller_who_leaves_does_not_stop_the_load():
    ears = Slow()
    async with Audio(ears) as core:
        call = asyncio.create_task(core.transcribe(SECOND))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        ears.go.set()
        assert (await core.transcribe(SECOND)).transcript.segments


async def test_a_model_that_cannot_be_loaded_fails_every_call_and_the_health(caplog):
    ears = Slow(Unavailable("the speech model cannot be loaded"))
    ears.go.set()
    async with Audio(ears) as core:
        with pytest.raises(Unavailable, match="cannot be loaded"):
            await core.transcribe(SECOND)
        with pytest.raises(Unavailable, match="cannot be loaded"):
            await core.health()
        assert not (await core.model()).ready
    assert "cannot be loaded" in caplog.text


class Watch:
    """A clock that stands still unless it is moved."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


class Dozy(FakeTranscriber):
    """Takes three seconds of a clock for each pass."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def transcribe(self, samples, asked):
        self.watch.seconds += 3
        return super().transcribe(samples, asked)


async def test_the_answer_says_how_long_it_took():
    watch = Watch()
    async with Audio(Dozy(watch), clock=watch) as core:
        assert (await core.transcribe(SECOND)).processing_time == timedelta(seconds=3)


async def test_words_lie_within_their_segment_in_order(core):
    (segment,) = (await core.transcribe(encoded(tone(2)))).transcript.segments
    assert "".join(it.text for it in segment.words).strip() == segment.text
    times = [at for it in segment.words for at in (it.start_seconds, it.end_seconds)]
    assert times == sorted(times)
    assert (times[0], times[-1]) == (segment.start_seconds, segment.end_seconds)
    assert segment.confidence == pytest.approx(0.9)


async def test_hints_reach_the_model(ears):
    asked = []

    class Attentive(FakeTranscriber):
        def transcribe(self, samples, given):
            asked.append(given)
            return super().transcribe(samples, given)

    async with Audio(Attentive()) as core:
        await core.transcribe(SECOND, Wish(hints=("Sensorium",)))
    assert [it.hints for it in asked] == [("Sensorium",)]


async def test_a_recording_has_its_speakers_named(ears):
    diarizer = FakeDiarizer()
    async with Audio(ears, diarizer) as core:
        made = (await core.transcribe(encoded(np.concatenate([tone(2), silence(1)])))).transcript
        assert [it.speaker for it in made.segments] == ["S1"]
        assert made.speakers_told_apart
        assert diarizer.open == 0


async def test_a_recording_is_put_into_words_when_its_speakers_cannot_be_told_apart(ears):
    async with Audio(ears, FakeDiarizer(broken=True)) as core:
        made = (await core.transcribe(SECOND)).transcript
    assert made.text
    assert [it.speaker for it in made.segments] == [""]
    assert not made.speakers_told_apart


async def test_a_recording_that_cannot_be_decoded_leaves_nothing_with_the_diarizer(ears):
    diarizer = FakeDiarizer()
    async with Audio(ears, diarizer) as core:
        with pytest.raises(InvalidInput):
            await core.transcribe(b"no sound")
        assert diarizer.open == 0


async def test_a_recording_is_told_of_while_it_is_heard(core):
    recording = encoded(np.concatenate([tone(200), silence(110), tone(200)]))
    told = [it async for it in core.follow(recording)]
    kinds = [type(it) for it in told]
    assert kinds[:3] == [Segment, Reached, Segment]
    assert kinds[-2:] == [Reached, Transcription]
    segments = tuple(it for it in told if isinstance(it, Segment))
    assert segments == told[-1].transcript.segments
    reached = [it.seconds for it in told if isinstance(it, Reached)]
    assert reached == sorted(reached)
    assert reached[-1] == told[-1].transcript.duration_seconds == 510


async def test_who_waits_for_a_long_pass_is_given_signs_of_life(core, ears, monkeypatch):
    monkeypatch.setattr(recordings, "SIGN_SECONDS", 0.01)
    with ears.held():
        async with asyncio.timeout(10), aclosing(core.follow(SECOND)) as told:
            assert [await anext(told) for _ in range(3)] == [Reached(0.0)] * 3
            ears.go.set()
            last = [it async for it in told][-1]
    assert isinstance(last, Transcription)


async def test_who_leaves_a_recording_gives_its_place_back(core, ears, monkeypatch):
    monkeypatch.setattr(recordings, "SIGN_SECONDS", 0.01)
    for _ in range(3):
        with ears.held():
            async with asyncio.timeout(10), aclosing(core.follow(SECOND)) as told:
                await anext(told)
    assert (await core.transcribe(SECOND)).transcript.segments


async def in_pieces(data, *, ends=True, size=4_096):
    for at in range(0, len(data), size):
        yield Chunk(data[at : at + size])
    if ends:
        yield End()
    else:
        await asyncio.Event().wait()


async def test_a_recording_that_is_sent_in_pieces_is_heard_as_one_that_is_sent_whole(core):
    recording = encoded(np.concatenate([tone(200), silence(110), tone(200)]), "flac", "flac")
    told = [it async for it in core.follow_sent(in_pieces(recording), Wish())]
    received = [it.size for it in told if isinstance(it, Received)]
    assert received == [*range(0, len(recording), 4_096), len(recording)]
    heard = told[len(received) :]
    assert heard[-1].transcript == (await core.transcribe(recording)).transcript
    reached = [it for it in heard if isinstance(it, Reached)]
    assert [it.lasts_seconds for it in reached] == pytest.approx([510, 510], rel=0.2)
    assert reached[-1].seconds == reached[-1].lasts_seconds == 510


async def test_a_recording_that_is_sent_never_stands_in_memory():
    length, block = 64 * MEBIBYTE, bytes(MEBIBYTE)
    header = encoded(silence(0.1))[:44]

    async def sent():
        yield Chunk(header)
        for _ in range(length // MEBIBYTE):
            yield Chunk(block)
        yield End()

    async with Audio(FakeTranscriber()) as core:
        tracemalloc.start()
        async with aclosing(core.follow_sent(sent(), Wish())) as told:
            async for each in told:
                if isinstance(each, Received) and each.size > length:
                    break
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * MEBIBYTE


async def test_of_a_recording_that_is_sent_too_many_are_refused_before_a_byte_comes(core):
    sending = [core.follow_sent(in_pieces(b"", ends=False), Wish()) for _ in range(2)]
    for each in sending:
        assert await anext(each) == Received(0)
    with pytest.raises(Exhausted, match="too many recordings"):
        await anext(core.follow_sent(in_pieces(SECOND), Wish()))
    for each in sending:
        await each.aclose()
    assert (await core.transcribe(SECOND)).transcript.segments


async def test_what_is_sent_is_bounded_and_free_again_in_the_end(ears):
    async with Audio(ears, spooled_bytes=len(SECOND)) as core:
        with pytest.raises(InvalidInput, match="chunk: is more than"):
            [it async for it in core.follow_sent(in_pieces(SECOND + b"x"), Wish())]
        *_, made = [it async for it in core.follow_sent(in_pieces(SECOND), Wish())]
        assert made.transcript.segments


async def test_who_sends_nothing_for_long_is_told(ears):
    async with Audio(ears, bounds=Bounds(idle_seconds=0.02)) as core:
        with pytest.raises(TimedOut, match=r"nothing was sent for 0\.02 seconds"):
            [it async for it in core.follow_sent(in_pieces(SECOND, ends=False), Wish())]


async def test_a_recording_that_breaks_off_is_no_recording(core):
    async def broken():
        yield Chunk(SECOND[:9_000])

    with pytest.raises(InvalidInput, match="without `end`"):
        [it async for it in core.follow_sent(broken(), Wish())]


async def test_a_language_that_is_not_known_is_told_before_anything_is_sent(core):
    with pytest.raises(InvalidInput, match="language"):
        await anext(core.follow_sent(in_pieces(SECOND), Wish("tlh")))

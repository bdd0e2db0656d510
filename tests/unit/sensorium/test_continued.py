from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.types.v1 import transcript_pb2

from sensorium.audio.continued import Continued


def at(seconds):
    made = Duration()
    made.FromTimedelta(timedelta(seconds=seconds))
    return made


def seconds(offset):
    return offset.ToTimedelta().total_seconds()


def said(text, begin, end, speaker="", sure=0.0):
    times = {"start_offset": at(begin), "end_offset": at(end)}
    word = transcript_pb2.Word(text=text, **times)
    heard = {"speaker": speaker, "words": [word], "language": "en", "confidence": sure}
    return transcript_pb2.Segment(text=text, **heard, **times)


def final(*segments, duration):
    whole = transcript_pb2.Transcript(
        text=" ".join(it.text for it in segments),
        segments=segments,
        duration=at(duration),
        speakers_told_apart=True,
        language="en",
    )
    return pb.TranscribeResponse(final=whole)


@pytest.fixture
def resumed():
    """Three seconds were told, then the session was forgotten."""
    whole = Continued()
    whole.take(pb.TranscribeResponse(segment=said("Hello.", 1, 3)))
    whole.renew(timedelta(seconds=3))
    return whole


def test_one_session_stays_as_it_is():
    whole, answer = Continued(), final(said("Hello.", 1, 3, "S1"), duration=4)
    same = final(said("Hello.", 1, 3, "S1"), duration=4)
    whole.take(pb.TranscribeResponse(segment=said("Hello.", 1, 3)))
    whole.take(answer)
    assert answer == same


def test_the_times_of_another_session_go_on(resumed):
    segment = pb.TranscribeResponse(segment=said("Bye.", 0.5, 1))
    partial = pb.TranscribeResponse(partial_text={"words": said("Bye.", 0.5, 1).words})
    voice = pb.TranscribeResponse(voice_activity={"offset": at(0.5)})
    for answer in (segment, partial, voice):
        resumed.take(answer)
    assert seconds(segment.segment.start_offset) == 3.5
    assert seconds(segment.segment.words[0].end_offset) == 4
    assert seconds(partial.partial_text.words[0].start_offset) == 3.5
    assert seconds(voice.voice_activity.offset) == 3.5


def test_the_final_transcript_is_of_all_sessions_and_without_speakers(resumed):
    answer = final(said("Bye.", 0.5, 1, "S1"), duration=2)
    resumed.take(answer)
    whole = answer.final
    assert (whole.text, whole.language, seconds(whole.duration)) == ("Hello. Bye.", "en", 5)
    assert [(it.text, seconds(it.start_offset)) for it in whole.segments] == [
        ("Hello.", 1),
        ("Bye.", 3.5),
    ]
    assert not whole.speakers_told_apart
    assert [it.speaker for it in whole.segments] == ["", ""]


def test_the_whole_is_as_sure_as_all_sessions_were_and_in_their_language():
    whole = Continued()
    whole.take(pb.TranscribeResponse(segment=said("Hello there.", 0, 3, sure=0.9)))
    whole.renew(timedelta(seconds=3))
    answer = final(said("Bye.", 0, 1, sure=0.5), duration=2)
    whole.take(answer)
    assert answer.final.confidence == pytest.approx(0.8)
    whole.renew(timedelta(seconds=5))
    silent = pb.TranscribeResponse(final=transcript_pb2.Transcript(duration=at(1)))
    whole.take(silent)
    assert (silent.final.language, silent.final.text) == ("en", "Hello there.")
    assert silent.final.confidence == pytest.approx(0.9)


def test_a_session_may_be_forgotten_more_than_once(resumed):
    resumed.take(pb.TranscribeResponse(segment=said("And", 0, 1)))
    resumed.renew(timedelta(seconds=4))
    answer = final(said("bye.", 0, 1), duration=1)
    resumed.take(answer)
    assert answer.final.text == "Hello. And bye."
    assert [seconds(it.start_offset) for it in answer.final.segments] == [1, 3, 4]

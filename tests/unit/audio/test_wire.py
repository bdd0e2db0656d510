from datetime import timedelta

from google.protobuf.json_format import MessageToDict

from services.audio import wire
from services.audio.domain import Model, Segment, Transcript, Transcription

MODEL = Model("whisper-base", "whisper", ready=True)


def test_an_answer_keeps_its_words_and_their_times():
    transcript = Transcript((Segment(0.5, 3.625, "Good morning."),), "en", 34.881625)
    answer = wire.upload_response_to_pb(Transcription(transcript, timedelta(seconds=2.5)), MODEL)
    assert MessageToDict(answer) == {
        "transcript": {
            "text": "Good morning.",
            "segments": [{"startOffset": "0.500s", "endOffset": "3.625s", "text": "Good morning."}],
            "language": "en",
            "duration": "34.882s",
        },
        "usage": {"processingTime": "2.500s"},
        "model": "whisper-base",
    }


def test_an_empty_transcript_still_says_how_long_the_audio_was():
    message = wire.transcript_to_pb(Transcript((), "", 3.0))
    assert MessageToDict(message) == {"duration": "3s"}


def test_a_model_keeps_its_name_its_engine_and_whether_it_is_ready():
    message = wire.model_to_pb(MODEL)
    assert (message.name, message.engine, message.ready) == ("whisper-base", "whisper", True)


def test_speakers_that_were_told_apart_are_named_and_the_answer_says_so():
    said = (Segment(0.0, 1.0, "Hello.", speaker="S1"), Segment(1.0, 2.0, "Hi.", speaker="S2"))
    message = wire.transcript_to_pb(Transcript(said, "en", 3.0, speakers_told_apart=True))
    assert [it.speaker for it in message.segments] == ["S1", "S2"]
    assert message.speakers_told_apart

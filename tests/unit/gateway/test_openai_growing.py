import pytest
from mesh.audio.v1 import audio_service_pb2 as pb

from gateway.bridge.dialects.openai_growing import Growing


def partial(committed, tentative=""):
    told = pb.PartialText(committed=committed, tentative=tentative)
    return pb.TranscribeResponse(partial_text=told)


def segment(text):
    told = pb.TranscribeResponse()
    told.segment.text = text
    return told


def final(text):
    told = pb.TranscribeResponse()
    told.final.text = text
    return told


SCRIPTS = {
    "words, then their segment": (
        [partial("One", " tow"), partial("One two."), segment("One two."), partial("Three")],
        ["One", " two.", "", " Three"],
    ),
    "a segment of some of the words": (
        [partial("One two. Three"), segment("One two."), partial("Three four")],
        ["One two. Three", "", " four"],
    ),
    "two segments, and words told once more between them": (
        [partial("A. B. C"), segment("A."), partial("B. C"), segment("B."), partial("C d")],
        ["A. B. C", "", "", "", " d"],
    ),
    "a segment that nobody had heard of": (
        [segment("One."), segment("Two."), final("One. Two.")],
        ["One.", " Two.", ""],
    ),
    "what only the end tells": ([partial("One"), final("One two.")], ["One", " two."]),
    "a language without spaces": (
        [partial("你好世界"), segment("你好"), partial("世界吗"), final("你好 世界吗")],
        ["你好世界", "", "吗", ""],
    ),
    "nothing": ([partial(""), final("")], ["", ""]),
    "other answers": (
        [pb.TranscribeResponse(acknowledged=pb.AudioAcknowledged(offset=3)), partial("One")],
        ["", "One"],
    ),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_new_is_told_once_and_never_taken_back(script):
    answers, told = SCRIPTS[script]
    growing = Growing()
    assert [growing.grow(it) for it in answers] == told

"""The client of live speech with a real audio room: cut lines, sources that break, refusals, and
what a terminal shows.
"""

import asyncio
import re
from contextlib import aclosing

import numpy as np
import pytest
from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc
from mesh.jobs.v1.session_service_pb2 import SessionSettings

from sensorium import captions, edge, transcripts
from sensorium.audio import AudioStream, analyze, listen, listening, recording
from sensorium.console import Screen
from sensorium.edge import Edge
from sensorium.errors import Trouble
from services.audio.config import AudioConfig
from services.audio.core import Audio
from services.audio.rpc import AudioServicer
from services.chassis import errors
from services.chassis.server import Server
from tests.doubles import edge as edges
from tests.doubles import keys
from tests.doubles.audio_room import audio_room
from tests.doubles.diarizer_fake import FakeDiarizer
from tests.doubles.recordings import encoded, silence
from tests.doubles.relay import relay
from tests.doubles.session_room import sessions
from tests.doubles.speech_of_tones import ToneTranscriber, pcm16, said, spoken
from tests.integration.test_audio import SERVICE

SETTINGS = pb.TranscribeSettings(language="en")
WORDS = [1, 2, 3, 4, 6, 7, 8, 9] * 4


@pytest.fixture
async def core():
    async with Audio(ToneTranscriber()) as core:
        yield core


@pytest.fixture
async def room(core, monkeypatch):
    monkeypatch.setattr(edge, "RETRY_SECONDS", (0.02,))
    if core:
        server = Server(AudioConfig(listen="127.0.0.1:0", drain_seconds=1))
        register = pb_grpc.add_AudioServiceServicer_to_server
        server.add(register, AudioServicer(core), SERVICE, health=core.health)
        async with server.running() as address:
            yield address


async def heard(audio, mesh, settings=SETTINGS, told=None):
    told = [] if told is None else told
    async with asyncio.timeout(40), aclosing(listen(audio, settings, mesh)) as answers:
        async for it in answers:
            told.append(it)
    return told


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - nothing tells of what is awaited
            await asyncio.sleep(0.01)


def received(core):
    return max((it.session.received for it in core._sessions._places.values()), default=0)


async def test_speech_comes_back_as_partials_segments_and_the_whole(room):
    answers = await heard(in_pieces(pcm16(spoken(WORDS))), Edge(room))
    kinds = [it.WhichOneof("message") for it in answers]
    assert (set(kinds), kinds[-1]) == ({"partial_text", "segment", "final"}, "final")
    assert answers[-1].final.text == said(WORDS)
    assert segments(answers) == said(WORDS).split()


async def test_a_line_that_is_cut_again_and_again_changes_nothing(room, core, caplog):
    data, cuts = pcm16(spoken(WORDS)), 0

    async def cutting(line):
        nonlocal cuts
        for at in range(0, len(data), 16_000):
            yield data[at : at + 16_000]
            if at % 64_000 == 0:
                await until(lambda at=at: received(core) > at)
                line.drop()
                cuts += 1

    async with relay(f"http://{room}") as line:
        answers = await heard(cutting(line), Edge(line.url))
    final = answers[-1].final
    assert final.text == said(WORDS)
    assert final.duration.ToMilliseconds() == len(data) // 32
    assert segments(answers) == said(WORDS).split()
    assert sum(it.HasField("final") for it in answers) == 1
    assert cuts > 5
    assert "taken up again" in caplog.text


async def test_a_final_answer_that_was_lost_is_asked_for_again(room):
    async with relay(f"http://{room}") as line:

        async def audio():
            yield pcm16(spoken(WORDS))
            cut.set_result(None)

        cut = asyncio.get_running_loop().create_future()
        cut.add_done_callback(lambda _: line.drop())
        answers = await heard(audio(), Edge(line.url))
    assert answers[-1].final.text == said(WORDS)


async def test_a_session_that_was_forgotten_is_followed_by_another_and_no_word_is_lost(
    room, core, caplog
):
    utterance = np.concatenate([spoken(WORDS[:8]), silence(1.5)])
    data, answers = pcm16(np.tile(utterance, 4)), []
    core._diarizer = FakeDiarizer()

    async def audio(line):
        sent = begin = 0
        # After an utterance, and amid the second, third and fourth.
        for end, told in ((176_000, 1), (272_000, 1), (448_000, 2), (640_000, 3)):
            yield data[sent:end]
            await until(lambda size=end - begin: received(core) == size)
            await until(lambda told=told: len(ends(answers)) == told)
            await core._sessions.close()
            line.drop()
            sent, begin = end, ends(answers)[-1] * 32
        yield data[sent:]

    settings = pb.TranscribeSettings(language="en", words=True)
    async with relay(f"http://{room}") as line:
        await heard(audio(line), Edge(line.url), settings, answers)
    final = answers[-1].final
    assert caplog.text.count("another goes on from") == 4
    assert final.text == said(WORDS)
    assert segments(answers) == said(WORDS).split()
    assert final.duration.ToMilliseconds() == len(data) // 32
    starts = [word.start_offset.ToMilliseconds() for it in final.segments for word in it.words]
    assert starts == [
        pytest.approx(5_500 * utterance + 500 * word, abs=60)
        for utterance in range(4)
        for word in range(8)
    ]
    assert not final.speakers_told_apart
    assert not [it.speaker for it in final.segments if it.speaker]
    assert re.search("another goes on from [1-9]", caplog.text)


async def test_audio_that_ends_every_session_is_given_up(room, core):
    async def audio(line):
        yield bytes(32_000)
        while True:
            await until(lambda: received(core))
            await core._sessions.close()
            line.drop()

    async with relay(f"http://{room}") as line:
        with pytest.raises(errors.NotFound) as lost:
            await heard(audio(line), Edge(line.url))
    assert lost.value.code == "SESSION_FORGOTTEN"
    assert "begin another" in lost.value.remedy


async def test_a_container_that_was_forgotten_is_not_begun_in_the_middle(room, core):
    settings = pb.TranscribeSettings(encoding=pb.AUDIO_ENCODING_CONTAINER)

    async def audio(line):
        yield encoded(spoken(WORDS), "ogg", "libopus", rate=48_000)[:20_000]
        await until(lambda: received(core))
        await core._sessions.close()
        line.drop()
        await asyncio.Event().wait()

    async with relay(f"http://{room}") as line:
        with pytest.raises(errors.NotFound, match="forgotten the session"):
            await heard(audio(line), Edge(line.url), settings)


async def test_audio_that_breaks_off_is_told_after_what_was_heard_of_it(room):
    async def breaking():
        yield pcm16(spoken(WORDS))
        raise Trouble("the cable is out")

    async with asyncio.timeout(20), aclosing(listen(breaking(), SETTINGS, Edge(room))) as told:
        while not (answer := await anext(told)).HasField("final"):
            pass
        assert answer.final.text == said(WORDS)
        with pytest.raises(Trouble, match="cable"):
            await anext(told)


async def test_audio_that_never_comes_is_told_without_a_mesh():
    async def nothing():
        raise Trouble("there is no microphone")
        yield b""

    with pytest.raises(Trouble, match="no microphone"):
        await heard(nothing(), Edge(edges.NOWHERE))


async def test_silence_and_nothing_at_all_are_heard_as_nothing(room):
    for data in (pcm16(silence(2)), b""):
        answers = await heard(in_pieces(data), Edge(room))
        assert [it.final.text for it in answers if it.HasField("final")] == [""]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (pb.TranscribeSettings(language="tlh"), "language"),
        (pb.TranscribeSettings(session_id="x", resume_token="y"), "no such session"),
    ],
)
async def test_what_does_not_pass_is_raised(room, settings, told):
    with pytest.raises(errors.MeshError, match=told):
        await heard(in_pieces(bytes(32_000)), Edge(room), settings)


async def test_a_mesh_that_is_not_there_is_given_up_in_the_end(monkeypatch):
    monkeypatch.setattr(edge, "RETRY_SECONDS", (0.02,))
    monkeypatch.setattr(listening, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(errors.Unavailable):
        await heard(in_pieces(bytes(32_000)), Edge(edges.NOWHERE))


async def test_a_key_is_shown_to_an_edge_that_asks_for_one(room, tmp_path):
    async with edges.running(tmp_path, {"audio": room}, guarded=True) as guarded:
        answers = await heard(in_pieces(pcm16(spoken(WORDS))), Edge(guarded.url, keys.ACME))
        assert answers[-1].final.text == said(WORDS)
        with pytest.raises(errors.Unauthenticated):
            await heard(in_pieces(bytes(32_000)), Edge(guarded.url))


async def test_a_recording_is_shown_on_a_terminal_to_its_end(room, tmp_path, capsys):
    path = tmp_path / "talk.flac"
    path.write_bytes(encoded(spoken(WORDS), "flac", "flac"))
    audio = AudioStream(str(path), fast=True).chunks()
    async with asyncio.timeout(40):
        await captions.show(listen(audio, SETTINGS, Edge(room)), Edge(room), Screen())
    lines = capsys.readouterr().out.splitlines()
    transcript = lines.index("Transcript ( 0:16.0, en)")
    assert lines[transcript + 1 :] == [said(WORDS)]
    shown = [line.rsplit("  ", 1) for line in lines[: transcript - 1]]
    assert " ".join(text for _, text in shown) == said(WORDS)
    assert shown[0][0] == " 0:00.0 -  0:15.8"


async def test_what_a_session_comes_to_is_told_after_its_words(monkeypatch, capsys):
    monkeypatch.setattr(edge, "RETRY_SECONDS", (0.01,))
    words = [b"%03d " % i for i in range(500)]

    async def audio():
        for word in words:
            yield word
            await asyncio.sleep(0)

    async with sessions() as room:
        room.cut_every(iter(range(200, 1_800, 200)))
        told = analyze(audio(), SessionSettings(language="en"), Edge(room.address))
        async with asyncio.timeout(30):
            await captions.show(told, Edge(room.address), Screen())
        assert room.cuts > 3
        assert len(room.sessions) == 1
    lines = capsys.readouterr().out.splitlines()
    text = b"".join(words).decode()
    assert lines[0] == f" 0:00.0 -  0:02.0  {text}"
    assert lines[1:] == [
        "", "Transcript ( 0:00.0, en)", text, "", "Summary", "in short", "", "To do",
        "- Do it (0:00.0)", "", "Risks", "- It may fail (0:01.5)", "",
        "Missing: decisions: the time was up",
    ]  # fmt: skip


async def test_a_terminal_shows_how_far_the_analysis_is(monkeypatch):
    shown = []
    monkeypatch.setattr(captions.Live, "update", lambda self, text, **_: shown.append(text.plain))
    async with sessions() as room:
        room.progress = [(0, 0), (7, 3)]
        told = analyze(in_pieces(b"one"), SessionSettings(), Edge(room.address))
        async with asyncio.timeout(30):
            await captions.show(told, Edge(room.address), Screen())
    waiting = [it for it in shown if it.startswith("What it comes to")]
    assert waiting == [
        *["What it comes to is being found out ..."] * 2,
        "What it comes to is being found out ... 3 of 7 questions are answered",
    ]


@pytest.mark.parametrize(("kind", "begins"), [
    ("text", "one two"), ("json", "{"), ("srt", "1\n00:00:00,000 --> "), ("vtt", "WEBVTT\n\n00:00"),
])  # fmt: skip
async def test_a_recording_of_any_size_is_written_down(room, tmp_path, capsys, monkeypatch, kind,
                                                       begins):  # fmt: skip
    monkeypatch.setattr(recording, "CHUNK_BYTES", 10_000)
    path = tmp_path / "talk.flac"
    path.write_bytes(encoded(spoken(WORDS), "flac", "flac"))
    async with asyncio.timeout(40):
        await transcripts.write(path, pb.RecordingSettings(language="en"), kind, Edge(room))
    out = capsys.readouterr().out
    assert out.startswith(begins)
    assert "eight nine" in out


@pytest.mark.parametrize(("data", "language", "told"), [
    (b"no recording" * 9_000, "en", "chunk: is not a recording"),
    (b"", "en", "chunk: is empty"),
    (b"x", "tlh", "not one that this model knows"),
])  # fmt: skip
async def test_a_recording_that_cannot_be_written_down_is_trouble(room, tmp_path, data, language,
                                                                  told):  # fmt: skip
    path = tmp_path / "talk"
    path.write_bytes(data)
    with pytest.raises(Trouble, match=told):
        await transcripts.write(path, pb.RecordingSettings(language=language), "text", Edge(room))


async def test_why_a_recording_is_too_large_is_told_while_it_is_sent(monkeypatch):
    async def endless():
        while True:
            yield bytes(recording.CHUNK_BYTES)

    async with audio_room(ToneTranscriber(), spooled_bytes=3 << 20) as address:
        told = recording.transcribe(endless(), pb.RecordingSettings(), Edge(address))
        async with asyncio.timeout(40):
            with pytest.raises(errors.InvalidInput, match="more than 3 MiB"):
                [it async for it in told]


async def test_a_file_that_cannot_be_read_is_trouble_without_a_mesh(room, tmp_path):
    with pytest.raises(Trouble, match="cannot be read: Is a directory"):
        await transcripts.write(tmp_path, pb.RecordingSettings(), "text", Edge(room))


async def test_what_the_mesh_refuses_is_trouble_in_its_words(room):
    settings = pb.TranscribeSettings(language="tlh")
    told = listen(in_pieces(bytes(32_000)), settings, Edge(room))
    with pytest.raises(Trouble, match="not one that this model knows"):
        await captions.show(told, Edge(room), Screen())


def segments(answers):
    return [word for it in answers if it.HasField("segment") for word in it.segment.text.split()]


def ends(answers):
    """Where segments end, in milliseconds."""
    return [it.segment.end_offset.ToMilliseconds() for it in answers if it.HasField("segment")]


async def in_pieces(data):
    for at in range(0, len(data), 32_000):
        yield data[at : at + 32_000]

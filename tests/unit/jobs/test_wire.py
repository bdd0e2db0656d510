from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from mesh.jobs.v1 import job_input_pb2, job_pb2
from mesh.types.v1 import image_pb2, scene_pb2, video_pb2

from services.chassis.errors import InvalidInput
from services.jobs import record, wire
from services.jobs.content import (
    INPUTS,
    OUTPUTS,
    ActionItem,
    Boundary,
    CaptionInput,
    CaptionOutput,
    Evidence,
    Finding,
    Findings,
    FoundRisk,
    Image,
    Interruption,
    JobType,
    Moment,
    Observation,
    Risk,
    RiskFinding,
    Scene,
    Segment,
    SessionReportInput,
    SessionReportOutput,
    Severity,
    Sighting,
    SurveillanceInput,
    SurveillanceOutput,
    Task,
    TaskTimingInput,
    TaskTimingOutput,
    TimedTask,
    TimelineEntry,
    Transcript,
    TranscriptionInput,
    TranscriptionOutput,
    Video,
    VideoSummaryInput,
    VideoSummaryOutput,
    VlmOnlyInput,
    VlmOnlyOutput,
)
from services.jobs.domain import JobError, JobEvent, JobEventKind, JobState, Progress

NOON = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SEEN = Observation("front", NOON, "a box\0")
TASK = Task(
    *("a", "b", NOON, None, 3, 7, ("a", "b")),
    task_id="shelf",
    start=Boundary("", "a", None, NOON, 0.0, "nobody watched"),
    end=Boundary("b", "c", None, None, 0.75, "it says so"),
    open_start=True,
    interruptions=(Interruption("x", "y"),),
)
MOMENT = Moment(
    "a",
    None,
    (Sighting("shelf", True, 0.5), Sighting("floor", False, 0.0), Sighting("door", None, 0.0)),
)
FRAME = Observation("frame-1500", NOON, "a spill", 1.5)
SPILL = FoundRisk(Risk("A spill.", Severity.HIGH), ("front", "1"), NOON, None)
FILM = Video("clip", NOON, "video", 2.5, 40)
SPEECH = Transcript(
    "hello", (Segment(0.5, 2.25, "hello", "S1"),), "en", 3.5, speakers_told_apart=True
)
EVIDENCE = (Evidence("hello", 0.5, 2.25, "S1"), Evidence("a spill", 1.0, 1.0, image_id="front"))
FINDINGS = Findings(
    "short",
    (Finding("hello", EVIDENCE),),
    (Finding("who?", EVIDENCE),),
    (ActionItem("Go", "Go there.", ("walk",), "S1", EVIDENCE),),
    (RiskFinding(Risk("A spill.", Severity.HIGH), EVIDENCE),),
    1,
    summary_sentences=(Finding("short", EVIDENCE),),
)
CASES = {
    JobType.CAPTION_V1: (
        CaptionInput("why?", (Image("front", NOON, "images/0"), Image("1", None, "images/1"))),
        CaptionOutput((SEEN, Observation("1", None, ""))),
    ),
    JobType.TASK_TIMING_V1: (
        TaskTimingInput(
            *("to sit", "who?", (Image("front", NOON, "images/0"),)),
            tasks=(TimedTask("", "to stand"), TimedTask("lie", "to lie")),
            most_pause_seconds=2.5,
        ),
        TaskTimingOutput((SEEN,), (TASK,), "once", (MOMENT,)),
    ),
    JobType.VLM_ONLY: (
        VlmOnlyInput("red?", (Image("front", NOON, "images/0"),)),
        VlmOnlyOutput((SEEN,)),
    ),
    JobType.SURVEILLANCE_V1: (
        SurveillanceInput("spills", (), FILM),
        SurveillanceOutput((FRAME,), (SPILL,), "a spill", 2),
    ),
    JobType.VIDEO_SUMMARY_V1: (
        VideoSummaryInput(FILM, "people"),
        VideoSummaryOutput(
            *((FRAME,), (Scene(0.0, 2.5, "a spill", ("frame-0",)),), "short", 2.5),
            *((Finding("short", EVIDENCE),), 1),
        ),
    ),
    JobType.TRANSCRIPTION_V1: (
        TranscriptionInput("audio", "en"),
        TranscriptionOutput(SPEECH),
    ),
    JobType.SESSION_REPORT_V1: (
        SessionReportInput(
            TranscriptionInput("audio", "en"),
            NOON,
            (Image("front", NOON, "images/0"),),
            None,
            "people",
        ),
        SessionReportOutput(
            SPEECH,
            (SEEN,),
            (TimelineEntry(0.5, 2.25, segment_index=0), TimelineEntry(1.0, 1.0, None, 0)),
            FINDINGS,
        ),
    ),
}


def test_every_type_has_an_input_and_an_output():
    assert set(INPUTS) == set(OUTPUTS) == set(JobType) == set(CASES)
    assert {it.value for it in JobType} == set(job_input_pb2.JobInput.DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize("kind", JobType)
def test_what_is_kept_is_read_back_as_it_was(kind):
    for value in CASES[kind]:
        assert record.load(type(value), record.dump(value)) == value


@pytest.mark.parametrize("kind", JobType)
def test_an_input_is_written_as_it_was_read_but_for_its_bytes(kind, job):
    given, _ = CASES[kind]
    written = wire.job_to_pb(replace(job, type=kind, input=given)).input
    assert written.WhichOneof("input") == kind
    again = wire.draft_from_pb(written).input
    if isinstance(again, TranscriptionInput):
        assert again == replace(given, audio="")
    elif isinstance(again, SessionReportInput):
        assert again == replace(given, recording=TranscriptionInput("", "en"))
    else:
        assert again == given


def test_an_output_is_written_in_full(job):
    _, output = CASES[JobType.TASK_TIMING_V1]
    written = wire.job_to_pb(replace(job, output=output)).output.task_timing_v1
    assert MessageToDict(written, preserving_proto_field_name=True) == {
        "observations": [
            {"image_id": "front", "capture_time": "2026-05-01T12:00:00.250Z", "text": "a box\0"}
        ],
        "tasks": [
            {
                "start_image_id": "a",
                "end_image_id": "b",
                "start_time": "2026-05-01T12:00:00.250Z",
                "start_index": 3,
                "end_index": 7,
                "evidence_image_ids": ["a", "b"],
                "task_id": "shelf",
                "start": {
                    "after_image_id": "a",
                    "after_time": "2026-05-01T12:00:00.250Z",
                    "reason": "nobody watched",
                },
                "end": {
                    "before_image_id": "b",
                    "after_image_id": "c",
                    "confidence": 0.75,
                    "reason": "it says so",
                },
                "open_start": True,
                "interruptions": [{"start_image_id": "x", "end_image_id": "y"}],
            }
        ],
        "summary": "once",
        "timeline": [
            {
                "image_id": "a",
                "sightings": [
                    {"task_id": "shelf", "showing": "SHOWING_YES", "probability": 0.5},
                    {"task_id": "floor", "showing": "SHOWING_NO"},
                    {"task_id": "door", "showing": "SHOWING_NOTHING"},
                ],
            }
        ],
    }


def test_the_task_of_an_older_output_is_written_without_boundaries(job):
    kept = record.dump(CASES[JobType.TASK_TIMING_V1][1])
    del kept["timeline"], kept["tasks"][0]["start"], kept["tasks"][0]["end"]
    output = record.load(TaskTimingOutput, kept)
    written = wire.job_to_pb(replace(job, output=output)).output.task_timing_v1
    assert not written.timeline
    assert not written.tasks[0].HasField("start")


def test_risks_are_written_with_their_evidence(job):
    _, output = CASES[JobType.SURVEILLANCE_V1]
    written = wire.job_to_pb(replace(job, output=output)).output.surveillance_v1
    assert MessageToDict(written, preserving_proto_field_name=True) == {
        "observations": [
            {
                "image_id": "frame-1500",
                "capture_time": "2026-05-01T12:00:00.250Z",
                "text": "a spill",
                "offset": "1.500s",
            }
        ],
        "risks": [
            {
                "risk": {"description": "A spill.", "severity": "SEVERITY_HIGH"},
                "evidence_image_ids": ["front", "1"],
                "start_time": "2026-05-01T12:00:00.250Z",
            }
        ],
        "summary": "a spill",
        "dropped_claims": 2,
    }


def test_scenes_are_written_with_their_times(job):
    _, output = CASES[JobType.VIDEO_SUMMARY_V1]
    written = wire.job_to_pb(replace(job, output=output)).output.video_summary_v1
    assert MessageToDict(written.scenes[0], preserving_proto_field_name=True) == {
        "start_offset": "0s",
        "end_offset": "2.500s",
        "text": "a spill",
        "evidence_image_ids": ["frame-0"],
    }
    assert (written.summary, written.duration.ToTimedelta().total_seconds()) == ("short", 2.5)


@pytest.mark.parametrize("severity", Severity)
def test_a_risk_of_the_vision_room_is_read(severity):
    risk = scene_pb2.Risk(description="A spill.", severity=f"SEVERITY_{severity.name}")
    assert wire.risk_from_pb(risk) == Risk("A spill.", severity)


def test_a_risk_of_which_nobody_says_how_bad_is_worth_knowing():
    assert wire.risk_from_pb(scene_pb2.Risk(description="?")) == Risk("?", Severity.LOW)


def test_the_bytes_of_a_video_stand_beside_the_input():
    film = video_pb2.Video(data=b"moving", id="clip", frames_per_second=2.5, max_frames=40)
    given = job_input_pb2.VideoSummaryInput(video=film, focus="people")
    draft = wire.draft_from_pb(job_input_pb2.JobInput(video_summary_v1=given))
    assert draft.input == VideoSummaryInput(replace(FILM, capture_time=None), "people")
    assert draft.data == {"video": b"moving"}


def test_a_transcript_is_read_as_it_was_written(job):
    written = wire.job_to_pb(replace(job, output=TranscriptionOutput(SPEECH))).output
    assert wire.transcript_from_pb(written.transcription_v1.transcript) == SPEECH


def test_a_job_is_written_with_everything_known_of_it(job):
    full = replace(
        job,
        state=JobState.FAILED,
        end_time=NOON,
        attempt=2,
        progress=Progress(1, 3, "describe/1"),
        error=JobError("REASON", "said", retryable=True),
        client_data={"a": [1, None], "b": {"c": "d"}},
    )
    written = wire.job_to_pb(full)
    assert written.id == str(job.id)
    assert written.state == job_pb2.JOB_STATE_FAILED
    assert written.end_time.ToDatetime(UTC) == NOON
    assert written.progress.current_step == "describe/1"
    assert (written.error.reason, written.error.retryable) == ("REASON", True)
    assert wire.client_data_from_pb(written.client_data) == full.client_data


@pytest.mark.parametrize("state", JobState)
def test_states_are_the_same_both_ways(state, job):
    assert wire.state_from_pb(wire.job_to_pb(replace(job, state=state)).state) is state


def test_an_unspecified_state_is_none():
    assert wire.state_from_pb(job_pb2.JOB_STATE_UNSPECIFIED) is None


@pytest.mark.parametrize("kind", JobEventKind)
def test_every_kind_of_event_can_be_written(kind):
    written = wire.event_to_pb(JobEvent(3, NOON, kind, "s", "t", Progress(1, 2)))
    assert job_pb2.JobEventKind.Name(written.kind) == f"JOB_EVENT_KIND_{kind.name}"
    assert (written.sequence, written.step, written.text) == (3, "s", "t")


def test_bytes_stand_beside_the_input():
    images = [image_pb2.Image(data=b"one", id="a"), image_pb2.Image(data=b"two")]
    given = job_input_pb2.JobInput(caption_v1=job_input_pb2.CaptionInput(images=images))
    draft = wire.draft_from_pb(given)
    assert [(it.id, draft.data[it.blob]) for it in draft.input.images] == [
        ("a", b"one"),
        ("", b"two"),
    ]


def test_a_time_out_of_range_is_refused_by_its_field():
    image = image_pb2.Image(data=b"x")
    image.capture_time.seconds = 10**15
    given = job_input_pb2.JobInput(caption_v1=job_input_pb2.CaptionInput(images=[image]))
    with pytest.raises(InvalidInput) as refused:
        wire.draft_from_pb(given)
    assert refused.value.violations[0].field == "input.caption_v1.images[0].capture_time"


def test_a_number_that_json_lacks_is_refused():
    data = Struct()
    data["x"] = float("nan")
    with pytest.raises(InvalidInput, match="client_data"):
        wire.client_data_from_pb(data)

import pytest

from services.chassis.errors import InvalidInput
from services.jobs import intake
from services.jobs.content import (
    DomainQuery,
    Draft,
    Image,
    JobType,
    SessionReportInput,
    SurveillanceInput,
    TaskTimingInput,
    TimedTask,
    TranscriptionInput,
    Video,
    VideoSummaryInput,
    VlmOnlyInput,
)
from services.jobs.naming import Doors
from services.media.guard import Guard
from tests.doubles.pictures import scene_png

DOORS = Doors(Guard(), domains=True)
FILM = Video("clip", None, "video")
IMAGES = (Image("b", None, "images/0"), Image("", None, "images/1"))
DATA = {"images/0": scene_png(), "images/1": scene_png(), "video": b"moving"}


def draft(given, data=DATA):
    return Draft(given, data)


async def refused(kind, given, data=DATA):
    with pytest.raises(InvalidInput) as error:
        await intake.accept(kind, Draft(given, data), doors=DOORS)
    return error.value.code, error.value.violations[0].field


async def test_pictures_of_new_types_are_named_and_kept_as_those_of_others():
    for kind, given in (
        (JobType.VLM_ONLY, VlmOnlyInput("red?", IMAGES)),
        (JobType.SURVEILLANCE_V1, SurveillanceInput("", IMAGES)),
    ):
        accepted = await intake.accept(kind, draft(given), doors=DOORS)
        assert [it.id for it in accepted.input.images] == ["b", "1"]
        assert [it.key for it in accepted.blobs] == ["images/0", "images/1"]


async def test_tasks_without_ids_are_named_by_their_places():
    given = TaskTimingInput("to sit", "", IMAGES, tasks=(TimedTask("", "a"), TimedTask("b", "c")))
    accepted = await intake.accept(JobType.TASK_TIMING_V1, draft(given), doors=DOORS)
    assert [it.id for it in accepted.input.wanted] == ["0", "1", "b"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (TaskTimingInput("", "", IMAGES), ("", "input.task_timing_v1.task")),
        (
            TaskTimingInput("", "", IMAGES, tasks=(TimedTask("b", "a"), TimedTask("b", "c"))),
            ("DUPLICATE_TASK_ID", "input.task_timing_v1.tasks[1].id"),
        ),
        (
            TaskTimingInput("to sit", "", IMAGES, tasks=(TimedTask("0", "a"),)),
            ("DUPLICATE_TASK_ID", "input.task_timing_v1.tasks[0].id"),
        ),
    ],
)
async def test_tasks_that_cannot_be_told_apart_are_refused(given, told):
    code, path = await refused(JobType.TASK_TIMING_V1, given)
    assert path == told[1]
    assert not told[0] or code == told[0]


async def test_a_video_is_kept_as_it_came():
    for kind, given in (
        (JobType.SURVEILLANCE_V1, SurveillanceInput("", (), FILM)),
        (JobType.VIDEO_SUMMARY_V1, VideoSummaryInput(FILM, "")),
    ):
        accepted = await intake.accept(kind, draft(given), doors=DOORS)
        assert accepted.input == given
        assert [(it.key, it.data) for it in accepted.blobs] == [("video", b"moving")]


async def test_a_session_takes_a_recording_beside_what_was_seen():
    given = SessionReportInput(TranscriptionInput("audio", "en"), None, video=FILM)
    data = {"audio": b"spoken", "video": b"moving"}
    accepted = await intake.accept(JobType.SESSION_REPORT_V1, draft(given, data), doors=DOORS)
    assert accepted.input == given
    assert {(it.key, it.data) for it in accepted.blobs} == set(data.items())


async def test_a_session_with_nothing_in_it_is_refused():
    given = SessionReportInput(None, None)
    code, _ = await refused(JobType.SESSION_REPORT_V1, given)
    assert code == "NO_SESSION"


async def test_a_video_beside_pictures_is_refused():
    given = SurveillanceInput("", IMAGES, FILM)
    assert await refused(JobType.SURVEILLANCE_V1, given) == (
        "VIDEO_AND_IMAGES",
        "input.surveillance_v1.video",
    )


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        (JobType.SURVEILLANCE_V1, SurveillanceInput(""), ("NO_IMAGES", "images")),
        (JobType.VLM_ONLY, VlmOnlyInput("?", ()), ("NO_IMAGES", "images")),
        (JobType.VIDEO_SUMMARY_V1, VideoSummaryInput(None, ""), ("NO_VIDEO", "video")),
        (JobType.VIDEO_SUMMARY_V1, VideoSummaryInput(FILM, ""), ("NO_VIDEO", "video")),
        (
            JobType.SESSION_REPORT_V1,
            SessionReportInput(TranscriptionInput("", ""), None),
            ("NO_AUDIO", "recording.audio"),
        ),
    ],
)
async def test_a_job_with_nothing_to_look_at_is_refused(kind, given, told):
    code, field = told
    assert await refused(kind, given, {"video": b"", "audio": b""}) == (
        code,
        f"input.{kind}.{field}",
    )


@pytest.mark.parametrize(
    ("kind", "given", "earlier"),
    [
        (JobType.SURVEILLANCE_V1, SurveillanceInput("spills"), SurveillanceInput("", (), FILM)),
        (JobType.SURVEILLANCE_V1, SurveillanceInput("spills"), SurveillanceInput("", IMAGES)),
        (JobType.VIDEO_SUMMARY_V1, VideoSummaryInput(None, "x"), VideoSummaryInput(FILM, "")),
        (
            JobType.SESSION_REPORT_V1,
            SessionReportInput(None, None, focus="x"),
            SessionReportInput(TranscriptionInput("audio", ""), None, video=FILM),
        ),
    ],
)
async def test_a_retry_that_brings_nothing_to_look_at_keeps_what_there_was(kind, given, earlier):
    accepted = await intake.accept(kind, draft(given), doors=DOORS, instead_of=earlier)
    assert accepted.keeps
    assert accepted.blobs == ()
    assert accepted.input.focus == given.focus
    assert accepted.input.video == earlier.video
    if isinstance(earlier, SurveillanceInput):
        assert accepted.input.images == earlier.images


async def test_a_retry_without_pictures_keeps_the_domain_and_one_with_pictures_drops_it():
    earlier = VlmOnlyInput("?", (), DomainQuery("a domain"))
    kept = await intake.accept(
        JobType.VLM_ONLY, draft(VlmOnlyInput("!", ())), doors=DOORS, instead_of=earlier
    )
    assert (kept.keeps, kept.input) == (True, VlmOnlyInput("!", (), earlier.domain))
    new = await intake.accept(
        JobType.VLM_ONLY, draft(VlmOnlyInput("!", IMAGES)), doors=DOORS, instead_of=earlier
    )
    assert (new.keeps, new.input.domain) == (False, None)


async def test_what_is_to_be_fetched_and_what_is_referred_to_brings_no_bytes():
    upload = "0a" * 16
    images = (
        Image("a", None, "images/0", uri="https://example.com/a.jpg?signature=x%2Fy"),
        Image("b", None, "images/1", uri=f"MEDIA://{upload}"),
    )
    data = {"images/0": b"", "images/1": b""}
    given = Draft(VlmOnlyInput("?", images), data)
    accepted = await intake.accept(JobType.VLM_ONLY, given, doors=DOORS)
    assert accepted.blobs == ()
    assert [it.blob for it in accepted.input.images] == ["media/images/0", "media/images/1"]
    assert [it.uri for it in accepted.input.images] == [it.uri for it in images]
    [held] = accepted.media
    assert (held.key, held.media_id) == ("media/images/1", upload)
    assert "signature" not in repr(accepted)

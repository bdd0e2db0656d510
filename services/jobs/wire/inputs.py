"""What jobs work on, type by type. Bytes are read apart from the input, and never written."""

from collections.abc import Iterable, Mapping

from mesh.jobs.v1 import job_input_pb2 as pb
from mesh.types.v1 import image_pb2, video_pb2

from services.chassis.errors import InvalidInput
from services.jobs.content import (
    CaptionInput,
    DomainQuery,
    Draft,
    Image,
    JobInput,
    SessionReportInput,
    SurveillanceInput,
    TaskTimingInput,
    TimedTask,
    TranscriptionInput,
    Video,
    VideoSummaryInput,
    VlmOnlyInput,
)
from services.jobs.wire.times import seconds_from_pb, seconds_to_pb, time_from_pb, time_to_pb


def draft_from_pb(given: pb.JobInput) -> Draft:
    """Read an input and the bytes that it names; one of its types is set."""
    kind = given.WhichOneof("input")
    path = f"input.{kind}"
    match kind:
        case "task_timing_v1":
            timing = given.task_timing_v1
            images, data = _images_from_pb(timing.images, path)
            given_timing = TaskTimingInput(
                timing.task,
                timing.image_prompt,
                images,
                _domain_from_pb(timing),
                tasks=tuple(TimedTask(it.id, it.task) for it in timing.tasks),
                most_pause_seconds=seconds_from_pb(timing.max_pause),
            )
            return Draft(given_timing, data)
        case "caption_v1":
            caption = given.caption_v1
            images, data = _images_from_pb(caption.images, path)
            return Draft(CaptionInput(caption.prompt, images, _domain_from_pb(caption)), data)
        case "vlm_only":
            asked = given.vlm_only
            images, data = _images_from_pb(asked.images, path)
            return Draft(VlmOnlyInput(asked.prompt, images, _domain_from_pb(asked)), data)
        case "surveillance_v1":
            watched = given.surveillance_v1
            images, data = _images_from_pb(watched.images, path)
            video, film = _video_from_pb(watched, path)
            return Draft(
                SurveillanceInput(watched.focus, images, video, _domain_from_pb(watched)),
                {**data, **film},
            )
        case "video_summary_v1":
            video, film = _video_from_pb(given.video_summary_v1, path)
            return Draft(VideoSummaryInput(video, given.video_summary_v1.focus), film)
        case "transcription_v1":
            return Draft(*_recording_from_pb(given.transcription_v1))
        case "session_report_v1":
            report = given.session_report_v1
            images, data = _images_from_pb(report.images, path)
            video, film = _video_from_pb(report, path)
            recording, speech = None, dict[str, bytes]()
            if report.HasField("recording"):
                recording, speech = _recording_from_pb(report.recording)
            time = None
            if report.HasField("recording_time"):
                time = time_from_pb(report.recording_time, f"{path}.recording_time")
            domain = _domain_from_pb(report)
            return Draft(
                SessionReportInput(recording, time, images, video, report.focus, domain),
                {**data, **film, **speech},
            )
        case _:
            raise InvalidInput.field("input", "is empty", remedy="set the field of the job's type")


def input_to_pb(given: JobInput) -> pb.JobInput:
    """Write an input without its bytes."""
    match given:
        case TaskTimingInput(task, image_prompt, images, domain):
            timing = pb.TaskTimingInput(
                task=task,
                image_prompt=image_prompt,
                images=map(_image_to_pb, images),
                domain=_domain_to_pb(domain),
                tasks=[pb.TimedTask(id=it.id, task=it.task) for it in given.tasks],
            )
            if given.most_pause_seconds:
                timing.max_pause.CopyFrom(seconds_to_pb(given.most_pause_seconds))
            return pb.JobInput(task_timing_v1=timing)
        case CaptionInput(prompt, images, domain):
            caption = pb.CaptionInput(
                prompt=prompt, images=map(_image_to_pb, images), domain=_domain_to_pb(domain)
            )
            return pb.JobInput(caption_v1=caption)
        case VlmOnlyInput(prompt, images, domain):
            asked = pb.VlmOnlyInput(
                prompt=prompt, images=map(_image_to_pb, images), domain=_domain_to_pb(domain)
            )
            return pb.JobInput(vlm_only=asked)
        case SurveillanceInput(focus, images, video, domain):
            watched = pb.SurveillanceInput(
                focus=focus,
                images=map(_image_to_pb, images),
                video=_video_to_pb(video),
                domain=_domain_to_pb(domain),
            )
            return pb.JobInput(surveillance_v1=watched)
        case VideoSummaryInput(video, focus):
            summed_up = pb.VideoSummaryInput(video=_video_to_pb(video), focus=focus)
            return pb.JobInput(video_summary_v1=summed_up)
        case TranscriptionInput():
            return pb.JobInput(transcription_v1=_recording_to_pb(given))
        case SessionReportInput(recording, time, images, video, focus, domain):
            report = pb.SessionReportInput(
                recording=None if recording is None else _recording_to_pb(recording),
                recording_time=time_to_pb(time),
                images=map(_image_to_pb, images),
                video=_video_to_pb(video),
                focus=focus,
                domain=_domain_to_pb(domain),
            )
            return pb.JobInput(session_report_v1=report)


def _images_from_pb(
    images: Iterable[image_pb2.Image], path: str
) -> tuple[tuple[Image, ...], Mapping[str, bytes]]:
    read, data = [], {}
    for index, image in enumerate(images):
        key = f"images/{index}"
        time = None
        if image.HasField("capture_time"):
            time = time_from_pb(image.capture_time, f"{path}.images[{index}].capture_time")
        read.append(Image(image.id, time, key, uri=image.uri))
        data[key] = image.data
    return tuple(read), data


def _recording_from_pb(
    given: pb.TranscriptionInput,
) -> tuple[TranscriptionInput, dict[str, bytes]]:
    key = "audio" if given.audio or given.uri else ""
    return TranscriptionInput(key, given.language, given.uri), {"audio": given.audio}


def _recording_to_pb(given: TranscriptionInput) -> pb.TranscriptionInput:
    return pb.TranscriptionInput(language=given.language, uri=given.uri)


def _video_from_pb(
    given: pb.SurveillanceInput | pb.VideoSummaryInput | pb.SessionReportInput, path: str
) -> tuple[Video | None, Mapping[str, bytes]]:
    if not given.HasField("video"):
        return None, {}
    video, time = given.video, None
    if video.HasField("capture_time"):
        time = time_from_pb(video.capture_time, f"{path}.video.capture_time")
    read = Video(video.id, time, "video", video.frames_per_second, video.max_frames, video.uri)
    return read, {"video": video.data}


def _image_to_pb(image: Image) -> image_pb2.Image:
    return image_pb2.Image(id=image.id, capture_time=time_to_pb(image.capture_time), uri=image.uri)


def _video_to_pb(video: Video | None) -> video_pb2.Video | None:
    if video is None:
        return None
    return video_pb2.Video(
        id=video.id,
        capture_time=time_to_pb(video.capture_time),
        frames_per_second=video.frames_per_second,
        max_frames=video.max_frames,
        uri=video.uri,
    )


def _domain_from_pb(
    given: pb.TaskTimingInput
    | pb.CaptionInput
    | pb.VlmOnlyInput
    | pb.SurveillanceInput
    | pb.SessionReportInput,
) -> DomainQuery | None:
    if not given.HasField("domain"):
        return None
    asked = given.domain
    return DomainQuery(
        asked.domain_id, tuple(asked.ids), asked.name, asked.data_type, asked.upload_output
    )


def _domain_to_pb(query: DomainQuery | None) -> pb.DomainQuery | None:
    if query is None:
        return None
    return pb.DomainQuery(
        domain_id=query.domain_id,
        ids=query.ids,
        name=query.name,
        data_type=query.data_type,
        upload_output=query.upload_output,
    )

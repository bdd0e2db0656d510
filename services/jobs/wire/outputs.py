"""What comes of jobs, type by type, and what the other rooms answered that is part of it."""

from typing import Final

from mesh.jobs.v1 import job_output_pb2 as pb

from services.jobs.content import (
    Boundary,
    CaptionOutput,
    FoundRisk,
    JobOutput,
    Moment,
    Observation,
    Scene,
    SessionReportOutput,
    SurveillanceOutput,
    Task,
    TaskTimingOutput,
    TimelineEntry,
    TranscriptionOutput,
    VideoSummaryOutput,
    VlmOnlyOutput,
)
from services.jobs.wire.findings import fields_of, finding_to_pb
from services.jobs.wire.risks import risk_to_pb
from services.jobs.wire.times import seconds_to_pb, time_to_pb
from services.jobs.wire.transcripts import transcript_to_pb

_SHOWINGS: Final = {
    True: pb.SHOWING_YES,
    False: pb.SHOWING_NO,
    None: pb.SHOWING_NOTHING,
}


def output_to_pb(output: JobOutput) -> pb.JobOutput:
    """Write an output."""
    match output:
        case TaskTimingOutput(observations, tasks, summary, timeline):
            timing = pb.TaskTimingOutput(
                observations=map(_observation_to_pb, observations),
                tasks=map(_task_to_pb, tasks),
                summary=summary,
                timeline=map(_moment_to_pb, timeline),
            )
            return pb.JobOutput(task_timing_v1=timing)
        case CaptionOutput(captions):
            caption = pb.CaptionOutput(captions=map(_observation_to_pb, captions))
            return pb.JobOutput(caption_v1=caption)
        case VlmOnlyOutput(responses):
            asked = pb.VlmOnlyOutput(responses=map(_observation_to_pb, responses))
            return pb.JobOutput(vlm_only=asked)
        case SurveillanceOutput():
            watched = pb.SurveillanceOutput(
                observations=map(_observation_to_pb, output.observations),
                risks=map(_found_to_pb, output.risks),
                summary=output.summary,
                dropped_claims=output.dropped_claims,
            )
            return pb.JobOutput(surveillance_v1=watched)
        case VideoSummaryOutput():
            summed_up = pb.VideoSummaryOutput(
                observations=map(_observation_to_pb, output.observations),
                scenes=map(_scene_to_pb, output.scenes),
                summary=output.summary,
                duration=seconds_to_pb(output.duration_seconds),
                summary_sentences=map(finding_to_pb, output.summary_sentences),
                dropped_claims=output.dropped_claims,
            )
            return pb.JobOutput(video_summary_v1=summed_up)
        case TranscriptionOutput(transcript):
            speech = pb.TranscriptionOutput(transcript=transcript_to_pb(transcript))
            return pb.JobOutput(transcription_v1=speech)
        case SessionReportOutput(transcript, observations, timeline, found):
            report = pb.SessionReportOutput(
                transcript=None if transcript is None else transcript_to_pb(transcript),
                observations=map(_observation_to_pb, observations),
                timeline=map(_entry_to_pb, timeline),
                **fields_of(found),
            )
            return pb.JobOutput(session_report_v1=report)


def _entry_to_pb(entry: TimelineEntry) -> pb.TimelineEntry:
    return pb.TimelineEntry(
        start_offset=seconds_to_pb(entry.start_seconds),
        end_offset=seconds_to_pb(entry.end_seconds),
        segment_index=entry.segment_index,
        observation_index=entry.observation_index,
    )


def _observation_to_pb(seen: Observation) -> pb.Observation:
    offset = seen.offset_seconds
    return pb.Observation(
        image_id=seen.image_id,
        capture_time=time_to_pb(seen.capture_time),
        text=seen.text,
        offset=None if offset is None else seconds_to_pb(offset),
    )


def _task_to_pb(task: Task) -> pb.Task:
    return pb.Task(
        start_image_id=task.start_image_id,
        end_image_id=task.end_image_id,
        start_time=time_to_pb(task.start_time),
        end_time=time_to_pb(task.end_time),
        start_index=task.start_index,
        end_index=task.end_index,
        evidence_image_ids=task.evidence_image_ids,
        task_id=task.task_id,
        start=_boundary_to_pb(task.start),
        end=_boundary_to_pb(task.end),
        open_start=task.open_start,
        open_end=task.open_end,
        interruptions=[
            pb.Interruption(start_image_id=it.start_image_id, end_image_id=it.end_image_id)
            for it in task.interruptions
        ],
    )


def _boundary_to_pb(boundary: Boundary | None) -> pb.Boundary | None:
    if boundary is None:
        return None
    return pb.Boundary(
        before_image_id=boundary.before_image_id,
        after_image_id=boundary.after_image_id,
        before_time=time_to_pb(boundary.before_time),
        after_time=time_to_pb(boundary.after_time),
        confidence=boundary.confidence,
        reason=boundary.reason,
    )


def _moment_to_pb(moment: Moment) -> pb.Moment:
    return pb.Moment(
        image_id=moment.image_id,
        capture_time=time_to_pb(moment.capture_time),
        sightings=[
            pb.Sighting(task_id=it.task_id, showing=_SHOWINGS[it.shows], probability=it.probability)
            for it in moment.sightings
        ],
    )


def _found_to_pb(found: FoundRisk) -> pb.FoundRisk:
    return pb.FoundRisk(
        risk=risk_to_pb(found.risk),
        evidence_image_ids=found.evidence_image_ids,
        start_time=time_to_pb(found.start_time),
        end_time=time_to_pb(found.end_time),
    )


def _scene_to_pb(scene: Scene) -> pb.Scene:
    return pb.Scene(
        start_offset=seconds_to_pb(scene.start_seconds),
        end_offset=seconds_to_pb(scene.end_seconds),
        text=scene.text,
        evidence_image_ids=scene.evidence_image_ids,
    )

"""What jobs work on, type by type. Bytes are read apart from the input, and never written."""

from collections.abc import Iterable

from mesh.jobs.v1 import job_input_pb2 as pb
from mesh.types.v1 import image_pb2

from services.chassis.errors import InvalidInput
from services.jobs.content import (
    CaptionInput,
    Draft,
    Image,
    JobInput,
    TaskTimingInput,
    TranscriptionInput,
)
from services.jobs.wire.times import time_from_pb, time_to_pb


def draft_from_pb(given: pb.JobInput) -> Draft:
    """Read an input and the bytes that it names; one of its types is set."""
    match given.WhichOneof("input"):
        case "task_timing_v1":
            timing = given.task_timing_v1
            images, data = _images_from_pb(timing.images, "input.task_timing_v1")
            return Draft(TaskTimingInput(timing.task, timing.image_prompt, images), data)
        case "caption_v1":
            caption = given.caption_v1
            images, data = _images_from_pb(caption.images, "input.caption_v1")
            return Draft(CaptionInput(caption.prompt, images), data)
        case "transcription_v1":
            speech = given.transcription_v1
            key = "audio" if speech.audio else ""
            return Draft(TranscriptionInput(key, speech.language), {"audio": speech.audio})
        case _:
            raise InvalidInput.field("input", "is empty", remedy="set the field of the job's type")


def input_to_pb(given: JobInput) -> pb.JobInput:
    """Write an input without its bytes."""
    match given:
        case TaskTimingInput(task, image_prompt, images):
            timing = pb.TaskTimingInput(
                task=task, image_prompt=image_prompt, images=map(_image_to_pb, images)
            )
            return pb.JobInput(task_timing_v1=timing)
        case CaptionInput(prompt, images):
            caption = pb.CaptionInput(prompt=prompt, images=map(_image_to_pb, images))
            return pb.JobInput(caption_v1=caption)
        case TranscriptionInput(_, language):
            return pb.JobInput(transcription_v1=pb.TranscriptionInput(language=language))


def _images_from_pb(
    images: Iterable[image_pb2.Image], path: str
) -> tuple[tuple[Image, ...], dict[str, bytes]]:
    read, data = [], {}
    for index, image in enumerate(images):
        key = f"images/{index}"
        time = None
        if image.HasField("capture_time"):
            time = time_from_pb(image.capture_time, f"{path}.images[{index}].capture_time")
        read.append(Image(image.id, time, key))
        data[key] = image.data
    return tuple(read), data


def _image_to_pb(image: Image) -> image_pb2.Image:
    return image_pb2.Image(id=image.id, capture_time=time_to_pb(image.capture_time))

"""Between the contract and the words of the vision room. Total, and without I/O."""

from collections.abc import Callable
from typing import Final, TypeVar

from mesh.types.v1 import scene_pb2, usage_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from services.engine import wire as chat
from services.vision.domain import (
    Description,
    Device,
    Generated,
    Length,
    Relief,
    Scene,
    Severity,
    Wish,
)

Response = TypeVar("Response", pb.DescribeResponse, pb.DescribeUploadResponse)

_LENGTHS: Final = {
    pb.DESCRIPTION_LENGTH_UNSPECIFIED: Length.FREE,
    pb.DESCRIPTION_LENGTH_SHORT: Length.SHORT,
    pb.DESCRIPTION_LENGTH_NORMAL: Length.NORMAL,
}
_SEVERITIES: Final = {
    Severity.LOW: scene_pb2.SEVERITY_LOW,
    Severity.MEDIUM: scene_pb2.SEVERITY_MEDIUM,
    Severity.HIGH: scene_pb2.SEVERITY_HIGH,
    Severity.CRITICAL: scene_pb2.SEVERITY_CRITICAL,
}


def wish_from_pb(request: pb.DescribeRequest | pb.DescribeUploadRequest) -> Wish:
    """Read what is wanted of a description."""
    return Wish(
        prompt=request.prompt,
        language=request.language,
        length=_LENGTHS[request.length],
        analyze=request.analyze,
        sampling=chat.sampling_from_pb(request.sampling),
    )


def generated_to_pb(generated: Generated) -> pb.GenerateResponse:
    """Write the answer to a conversation."""
    return pb.GenerateResponse(
        text=generated.answer.text,
        finish_reason=chat.finish_reason_to_pb(generated.answer.finish_reason),
        usage=_usage_to_pb(generated),
        model=generated.answer.model,
    )


def description_to_pb(response: Callable[..., Response], description: Description) -> Response:
    """Write a picture in words, as the response of one of the two calls that describe."""
    return response(
        description=description.answer.text,
        width=description.width,
        height=description.height,
        usage=_usage_to_pb(description),
        model=description.answer.model,
        analysis=None if description.scene is None else _scene_to_pb(description.scene),
        analysis_problem=description.scene_problem,
    )


def device_to_pb(device: Device) -> pb.GetDeviceResponse:
    """Write what the model runs on; what nobody can tell stays unset."""
    return pb.GetDeviceResponse(
        device=device.name,
        memory_total_bytes=device.memory_total_bytes,
        memory_used_bytes=device.memory_used_bytes,
        engine_memory_bytes=device.engine_memory_bytes,
        cache_usage=device.cache_usage,
        running_requests=device.running,
        waiting_requests=device.waiting,
    )


def relief_to_pb(relief: Relief) -> pb.ReleaseMemoryResponse:
    """Write what an engine let go of."""
    return pb.ReleaseMemoryResponse(released_bytes=relief.released_bytes, released=relief.released)


def _scene_to_pb(scene: Scene) -> scene_pb2.SceneAnalysis:
    return scene_pb2.SceneAnalysis(
        objects=[scene_pb2.SceneObject(name=it.name, count=it.count) for it in scene.objects],
        people=[
            scene_pb2.Person(description=it.description, activity=it.activity)
            for it in scene.people
        ],
        activities=scene.activities,
        risks=[
            scene_pb2.Risk(description=it.description, severity=_SEVERITIES[it.severity])
            for it in scene.risks
        ],
        suggestions=scene.suggestions,
    )


def _usage_to_pb(given: Generated | Description) -> usage_pb2.Usage:
    answer = given.answer
    return chat.usage_to_pb(answer.input_tokens, answer.output_tokens, given.processing_time)

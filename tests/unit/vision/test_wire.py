from datetime import timedelta

import pytest
from mesh.types.v1 import chat_pb2, scene_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from services.engine.domain import Answer, FinishReason, Sampling
from services.vision import wire
from services.vision.domain import (
    Description,
    Device,
    Generated,
    Length,
    Person,
    Relief,
    Risk,
    Scene,
    SceneObject,
    Severity,
    Wish,
)

ANSWER = Answer("seen", FinishReason.LENGTH, input_tokens=5, output_tokens=2, model="m")


def test_an_answer_is_written_with_its_cost() -> None:
    written = wire.generated_to_pb(Generated(ANSWER, timedelta(seconds=1.5)))
    assert (written.text, written.model) == ("seen", "m")
    assert written.finish_reason == chat_pb2.FINISH_REASON_LENGTH
    assert (written.usage.input_tokens, written.usage.output_tokens) == (5, 2)
    assert written.usage.processing_time.ToTimedelta() == timedelta(seconds=1.5)


def test_both_descriptions_are_written_alike() -> None:
    scene = Scene(
        objects=(SceneObject("box", 3),),
        people=(Person("somebody", "walks"),),
        activities=("walking",),
        risks=(Risk("a spill", Severity.CRITICAL),),
        suggestions=("mop",),
    )
    description = Description(
        ANSWER, width=4, height=3, processing_time=timedelta(seconds=2), scene=scene
    )
    called, uploaded = (
        wire.description_to_pb(pb.DescribeResponse, description),
        wire.description_to_pb(pb.DescribeUploadResponse, description),
    )
    assert called.SerializeToString() == uploaded.SerializeToString()
    assert (called.description, called.width, called.height) == ("seen", 4, 3)
    assert called.analysis.risks[0].severity == scene_pb2.SEVERITY_CRITICAL
    assert called.analysis.objects[0].count == 3
    assert called.analysis.people[0].activity == "walks"


def test_a_description_without_a_scene_says_why() -> None:
    lacking = Description(ANSWER, 4, 3, timedelta(seconds=2), scene_problem="it cannot")
    written = wire.description_to_pb(pb.DescribeResponse, lacking)
    assert not written.HasField("analysis")
    assert written.analysis_problem == "it cannot"


@pytest.mark.parametrize("kind", [pb.DescribeRequest, pb.DescribeUploadRequest])
def test_a_wish_is_read_from_both_calls(
    kind: type[pb.DescribeRequest] | type[pb.DescribeUploadRequest],
) -> None:
    request = kind(prompt="p", language="es", length=pb.DESCRIPTION_LENGTH_SHORT, analyze=True)
    request.sampling.max_tokens = 3
    assert wire.wish_from_pb(request) == Wish("p", "es", Length.SHORT, True, Sampling(3))
    assert wire.wish_from_pb(kind()) == Wish()
    for number in pb.DescriptionLength.values():
        wire.wish_from_pb(kind(length=number))


def test_what_nobody_can_tell_of_a_device_is_unset_and_zero_is_not() -> None:
    unknown = wire.device_to_pb(Device())
    assert unknown.ListFields() == []
    known = wire.device_to_pb(Device("cpu", 3, 0, 0, 0.0, 0, 0))
    assert known.device == "cpu"
    for name in ("memory_used_bytes", "engine_memory_bytes", "cache_usage", "running_requests"):
        assert known.HasField(name)
    assert not wire.relief_to_pb(Relief((), None)).HasField("released_bytes")
    assert wire.relief_to_pb(Relief(("prefix cache",), 0)).HasField("released_bytes")

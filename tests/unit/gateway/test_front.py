from datetime import timedelta

import pytest
from mesh.types.v1 import model_pb2
from mesh.vision.v1 import vision_service_pb2 as pb

from gateway.bridge.dialects.front import DIALECT
from gateway.bridge.exchange import Request
from services.chassis import errors
from tests.doubles import conversations

MIB = 1024**2
READY = pb.GetModelResponse(model=model_pb2.Model(name="aisle", ready=True))
NOT_READY = pb.GetModelResponse(model=model_pb2.Model(name="aisle", ready=False))
CARD = pb.GetDeviceResponse(
    device="NVIDIA H100",
    memory_total_bytes=800 * MIB,
    memory_used_bytes=200 * MIB,
    engine_memory_bytes=100 * MIB,
)
MACHINE = pb.GetDeviceResponse(
    device="cpu",
    memory_total_bytes=800 * MIB,
    memory_used_bytes=200 * MIB,
    engine_memory_bytes=100 * MIB,
)


def health(*answers):
    return conversations.call(DIALECT, "GET", "/health", Request(), *answers)


def test_health_on_a_card_has_the_keys_of_both():
    asked, status, told = health(READY, CARD)
    assert [ask.method for ask in asked] == ["GetModel", "GetDevice"]
    assert (status, told) == (
        200,
        {
            "status": "healthy",
            "model_loaded": True,
            "device": "cuda",
            "gpu_available": True,
            "memory_usage": {
                "system": {"rss_mb": None, "vms_mb": None, "percent": None},
                "gpu": {
                    "allocated_mb": 200.0,
                    "reserved_mb": 100.0,
                    "total_mb": 800.0,
                    "error": None,
                },
            },
        },
    )


def test_health_without_a_card_tells_of_the_machine():
    _, _, told = health(READY, MACHINE)
    assert (told["device"], told["gpu_available"]) == ("cpu", False)
    assert told["memory_usage"]["system"] == {"rss_mb": 100.0, "vms_mb": None, "percent": 25.0}
    assert told["memory_usage"]["gpu"]["error"] == "the model runs on no GPU"


@pytest.mark.parametrize(
    ("answers", "status", "loaded"),
    [
        ([READY, errors.Unimplemented("not built")], "healthy", True),
        ([READY, pb.GetDeviceResponse()], "healthy", True),
        ([NOT_READY, errors.TimedOut("late")], "unhealthy", False),
        ([errors.Unavailable("the room is down")], "unhealthy", False),
        ([errors.TimedOut("it took too long")], "unhealthy", False),
    ],
)
def test_health_says_nothing_that_is_not_known(answers, status, loaded):
    unknown = {"device": None, "gpu_available": None, "memory_usage": None}
    assert health(*answers)[1:] == (200, {"status": status, "model_loaded": loaded, **unknown})


def test_neither_waits_long_for_an_engine_that_stands_still():
    assert max(it.lasts for it in DIALECT.routes) <= timedelta(seconds=3)


def test_health_hides_no_mistake_of_the_mesh():
    assert health(errors.Internal("something failed inside the mesh"))[1] == 500


@pytest.mark.parametrize(
    ("answer", "model"), [(READY, "aisle"), (errors.Unavailable("the room is down"), None)]
)
def test_the_front_page_has_the_keys_of_both(answer, model):
    _, status, told = conversations.call(DIALECT, "GET", "/", Request(), answer)
    assert status == 200
    assert {"message", "version", "docs", "queue_status"} <= told.keys(), "of the caption queue"
    assert (told["model"], told["status"]) == (model, "running")
    assert told["endpoints"] == {
        "generate": "/api/v1/generate",
        "health": "/health",
        "vram_status": "/vram_status",
    }

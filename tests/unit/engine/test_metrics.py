import pytest

from services.engine import metrics
from services.engine.machine import EngineKind, Load

VLLM = b"""
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 2.0
vllm:num_requests_waiting{engine="0",model_name="m"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.5
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.25
vllm:e2e_request_latency_seconds_bucket{engine="0",le="0.3",model_name="m"} 1.0
"""


def test_vllm_tells_of_all_its_replicas() -> None:
    load = metrics.read(EngineKind.VLLM, VLLM)
    assert load == Load(running=5, waiting=7, cache_usage=0.375)


def test_an_older_vllm_calls_its_cache_otherwise() -> None:
    load = metrics.read(EngineKind.VLLM, b"vllm:gpu_cache_usage_perc 0.5\n")
    assert load == Load(cache_usage=0.5)


def test_llama_tells_what_it_works_on_and_what_waits() -> None:
    body = b"llamacpp:requests_processing 1\nllamacpp:requests_deferred 4\n"
    load = metrics.read(EngineKind.LLAMA_CPP, body)
    assert load == Load(running=1, waiting=4)


@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"<html>",
        b"\xff\xfe",
        b"vllm:num_requests_running{ 3",
        b"vllm:num_requests_running NaN\n",
        b"vllm:num_requests_running -4\n",
        b"vllm:num_requests_running +Inf\n",
    ],
)
def test_what_is_no_measure_tells_nothing(body: bytes | None) -> None:
    assert metrics.read(EngineKind.VLLM, body) == Load()


def test_a_measure_beyond_belief_is_bounded() -> None:
    body = b"vllm:num_requests_running 1e300\nvllm:kv_cache_usage_perc 7\n"
    assert metrics.read(EngineKind.VLLM, body) == Load(running=2**31 - 1, cache_usage=1.0)

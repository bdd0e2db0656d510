"""The collector takes what the real exporters send, and assembles what belongs together."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.doubles import otlp
from tests.doubles.otlp import Span, by, trees


@pytest.fixture
async def collector() -> AsyncIterator[otlp.Collector]:
    async with otlp.collecting() as running:
        yield running


@contextmanager
def reporting(collector: otlp.Collector, service: str) -> Iterator[trace.Tracer]:
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(endpoint=f"http://{collector.target}", insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=20))
    yield provider.get_tracer("test")
    provider.shutdown()


def span(service: str, span_id: str, parent_id: str = "", trace_id: str = "t") -> Span:
    return Span(service, f"{service} {span_id}", trace_id, span_id, parent_id)


async def test_spans_of_several_services_arrive_as_one_tree(collector: otlp.Collector) -> None:
    def work() -> None:
        with (
            reporting(collector, "gateway") as edge,
            reporting(collector, "vision") as room,
            edge.start_as_current_span("ingress"),
            room.start_as_current_span("Describe"),
            room.start_as_current_span("POST", attributes={"url.path": "/v1", "retries": 0}),
        ):
            pass

    working = asyncio.create_task(asyncio.to_thread(work))
    tree = await collector.wait_for_path(
        by("gateway"), by("vision", "Describe"), by("vision", "POST", url__path="/v1")
    )
    assert str(tree) == "gateway: ingress\n  vision: Describe\n    vision: POST"
    assert [it.parent_id == "" for it in tree] == [True, False, False]
    await working


async def test_metrics_are_taken_by_name(collector: otlp.Collector) -> None:
    def work() -> None:
        exporter = OTLPMetricExporter(endpoint=f"http://{collector.target}", insecure=True)
        provider = MeterProvider([PeriodicExportingMetricReader(exporter)])
        provider.get_meter("test").create_counter("jobs.claimed").add(1)
        provider.shutdown()

    working = asyncio.create_task(asyncio.to_thread(work))
    await collector.wait_for(lambda: "jobs.claimed" in collector.metrics)
    await working


async def test_waiting_in_vain_ends_and_tells_what_came(collector: otlp.Collector) -> None:
    collector.spans.append(span("gateway", "1"))
    with pytest.raises(AssertionError, match="gateway: gateway 1"):
        await collector.wait_for_path(by("vision"), timeout=0.05)


def test_siblings_are_no_path() -> None:
    (tree,) = trees([span("a", "1"), span("b", "2", "1"), span("c", "3", "1")])
    assert tree.reaches(by("a"), by("c")) == span("c", "3", "1")
    assert tree.reaches(by("b"), by("c")) is None


def test_a_step_may_be_taken_twice_in_one_service() -> None:
    (tree,) = trees([span("a", "1"), span("b", "2", "1"), span("b", "3", "2")])
    assert tree.reaches(by("a"), by("b"), by("b")) == span("b", "3", "2")
    assert tree.reaches(by("a"), by("b"), by("b"), by("b")) is None


def test_the_same_ids_in_another_trace_are_other_spans() -> None:
    found = trees([span("a", "1"), span("a", "1", trace_id="u"), span("b", "2", "1", "u")])
    assert [len(list(tree)) for tree in found] == [1, 2]


def test_a_span_without_its_parent_stands_alone() -> None:
    assert [tree.span.service for tree in trees([span("b", "2", "lost"), span("a", "1")])] == [
        "b",
        "a",
    ]


def test_a_span_reported_twice_is_one_span() -> None:
    assert len(trees([span("a", "1"), span("a", "1")])) == 1

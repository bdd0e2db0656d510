"""An OpenTelemetry collector inside the test: takes what Envoy and the SDK export over OTLP gRPC,
keeps it, and wakes whoever waits for it. It judges nothing; tests ask it for trees.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc.aio
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2 as metrics_pb,
)
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2_grpc as metrics_rpc,
)
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2 as trace_pb,
)
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2_grpc as trace_rpc,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

Value = TypeVar("Value")


@dataclass(frozen=True)
class Span:
    """One span, with the service that reported it."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty: the trace begins here."""
    attributes: dict[str, Any] = field(default_factory=dict, compare=False)


Match = Callable[[Span], bool]


def by(service: str, name: str = "", **attributes: Any) -> Match:
    """Match a service's spans by a part of their name and by attributes, `__` for a dot."""
    wanted = {key.replace("__", "."): value for key, value in attributes.items()}
    return lambda span: (
        span.service == service and name in span.name and wanted.items() <= span.attributes.items()
    )


@dataclass(frozen=True)
class Tree:
    """A span and what it caused, in the order of arrival."""

    span: Span
    children: tuple["Tree", ...] = ()

    def reaches(self, *steps: Match) -> Span | None:
        """Return a span below that is reached by passing the steps in their order, if there is one.

        Every step is an ancestor of the next, at any distance.
        """
        first, *rest = steps
        if first(self.span):
            if not rest:
                return self.span
            steps = tuple(rest)
        ways = (child.reaches(*steps) for child in self.children)
        return next((span for span in ways if span), None)

    def __iter__(self) -> Iterator[Span]:
        yield self.span
        for child in self.children:
            yield from child

    def __str__(self) -> str:
        below = [line for child in self.children for line in str(child).splitlines()]
        return "\n  ".join([f"{self.span.service}: {self.span.name}", *below])


def trees(spans: Iterable[Span]) -> list[Tree]:
    """Assemble spans. One whose parent was never reported tops a tree of its own."""
    known = {(span.trace_id, span.span_id): span for span in spans}
    children: dict[tuple[str, str], list[Span]] = {}
    for span in known.values():
        children.setdefault((span.trace_id, span.parent_id), []).append(span)

    def grown(span: Span) -> Tree:
        below = children.get((span.trace_id, span.span_id), [])
        return Tree(span, tuple(grown(child) for child in below))

    tops = [span for span in known.values() if (span.trace_id, span.parent_id) not in known]
    return [grown(span) for span in tops]


class Collector(trace_rpc.TraceServiceServicer, metrics_rpc.MetricsServiceServicer):
    """Keeps every span and the names of all metrics that arrived."""

    def __init__(self) -> None:
        self.target = ""
        """Where it listens, as host:port. The SDK wants `http://` before it."""
        self.spans: list[Span] = []
        self.metrics: set[str] = set()
        self._arrived = asyncio.Condition()

    async def wait_for(self, wanted: Callable[[], Value | None], timeout: float = 10) -> Value:
        """Return the first truthy answer of `wanted`, asked now and after every arrival."""
        try:
            async with asyncio.timeout(timeout), self._arrived:
                while not (answer := wanted()):
                    await self._arrived.wait()
                return answer
        except TimeoutError:
            came = "\n".join(map(str, trees(self.spans))) or "nothing"
            raise AssertionError(f"not in {timeout} s; what came:\n{came}") from None

    async def wait_for_path(self, *steps: Match, timeout: float = 10) -> Tree:
        """Return the first tree in which one span caused the next, step by step."""

        def found() -> Tree | None:
            return next((tree for tree in trees(self.spans) if tree.reaches(*steps)), None)

        return await self.wait_for(found, timeout)

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the proto's name
        async with self._arrived:
            if isinstance(request, trace_pb.ExportTraceServiceRequest):
                self.spans.extend(_spans(request))
                answer: Any = trace_pb.ExportTraceServiceResponse()
            else:
                self.metrics.update(_metrics(request))
                answer = metrics_pb.ExportMetricsServiceResponse()
            self._arrived.notify_all()
        return answer


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector on a free loopback port for a block."""
    collector = Collector()
    server = grpc.aio.server()
    trace_rpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    metrics_rpc.add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(grace=None)


def _spans(request: trace_pb.ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        service = _attributes(resource.resource.attributes).get("service.name", "")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service=service,
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    attributes=_attributes(span.attributes),
                )


def _metrics(request: metrics_pb.ExportMetricsServiceRequest) -> Iterator[str]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            yield from (metric.name for metric in scope.metrics)


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in pairs
    }

"""OpenTelemetry for a process: set up from the standard OTEL_* variables, silent when no collector
is named.

The libraries' own instrumentations make the spans; this module only switches them on. It knows no
room.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.grpc import aio_server_interceptor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from sqlalchemy import Engine

_PARENT: Final = "traceparent"
"""Where W3C has a call say to which trace it belongs."""

_is_reported = False


@contextmanager
def started(name: str) -> Iterator[None]:
    """Report the process as the service `name` for a block; at its end send what is still held."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        yield
        return
    global _is_reported
    # Only here, for it costs each request a seventh of what a room does for a line of text.
    AioHttpClientInstrumentor().instrument()
    resource = Resource.create({"service.name": name, "service.namespace": "sensorium"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracers)
    meters = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource)
    metrics.set_meter_provider(meters)
    _is_reported = True
    try:
        yield
    finally:
        _is_reported = False
        tracers.shutdown()
        meters.shutdown()


def server_interceptors() -> Sequence[Any]:
    """The interceptors that trace the calls that a server receives."""
    return [aio_server_interceptor(filter_=_is_traced)]  # type: ignore[no-untyped-call]


def _is_traced(details: Any) -> bool:
    # The library's own filters look at what kind of details they get, which takes longer than a
    # span; and what it does for one that nobody is sent takes a tenth of a call's time.
    if details.method.startswith("/grpc.health."):
        return False
    return is_reported() or any(key == _PARENT for key, _ in details.invocation_metadata or ())


def is_reported() -> bool:
    """Whether spans are sent to anybody. Asked by each call and each job several times."""
    return _is_reported


@contextmanager
def calling(method: str) -> Iterator[list[tuple[str, str]]]:
    """Trace a call to another room for a block, which is given the metadata that carries the trace.

    The library's client interceptors are not used: a caller that they surround and that is
    cancelled leaves its call running.
    """
    carrier: dict[str, str] = {}
    if not is_reported():
        # A trace that others have begun goes on all the same; most calls are of none.
        if context.get_current():
            propagate.inject(carrier)
        yield list(carrier.items())
        return
    service, _, name = method.strip("/").partition("/")
    attributes = {"rpc.system.name": "grpc", "rpc.method": f"{service}/{name}"}
    tracer = trace.get_tracer(__name__)
    with tracer.start_as_current_span(
        f"{service}/{name}", kind=SpanKind.CLIENT, attributes=attributes
    ):
        propagate.inject(carrier)
        yield list(carrier.items())


def receiving(
    name: str, headers: Mapping[str, str], attributes: Mapping[str, str]
) -> AbstractContextManager[trace.Span]:
    """Trace the answer to an HTTP request for a block.

    The library's own instrumentation would tell the query, where a prompt may stand.
    """
    if not is_reported() and _PARENT not in headers:
        return nullcontext(trace.INVALID_SPAN)
    return trace.get_tracer(__name__).start_as_current_span(
        name, propagate.extract(headers), SpanKind.SERVER, attributes
    )


def consuming(name: str, *, created_by: str) -> AbstractContextManager[object]:
    """Trace the work on something for a block, as part of the trace of the W3C traceparent that
    created it.
    """
    if not is_reported():
        return nullcontext()
    parent = propagate.extract({_PARENT: created_by})
    tracer = trace.get_tracer(__name__)
    return tracer.start_as_current_span(name, context=parent, kind=SpanKind.CONSUMER)


def stating(statement: str) -> AbstractContextManager[object]:
    """Trace a statement that PostgreSQL runs in a block."""
    if not is_reported():
        return nullcontext()
    attributes = {"db.system": "postgresql", "db.statement": statement}
    tracer = trace.get_tracer(__name__)
    name = statement.split(maxsplit=1)[0]
    return tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes)


def instrument_engine(engine: Engine) -> None:
    """Trace the statements of a SQLAlchemy engine; of an async one, its `sync_engine`."""
    SQLAlchemyInstrumentor().instrument(engine=engine)

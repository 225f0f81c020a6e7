"""Spans of requests that arrive sampled, where OpenTelemetry's SDK is installed.

The `OTEL_*` variables say where spans go; KServe's `spec.tracing` sets them. A request
whose `traceparent` is sampled takes the ordinary way, every other one the hot path. A
span holds names and counts, never a text. Over HTTP the span of a request is FastAPI's.
"""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from predictor.errors import StartError
from predictor.log import logger
from predictor.protocol import Source

TRACEPARENT = b"traceparent"
# Of "00-<32 hexadecimal digits>-<16>-<flags>": the digit whose last bit says sampled
# (https://www.w3.org/TR/trace-context/#sampled-flag).
SAMPLED_AT, ODD = 54, b"13579bdf"
TO = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
HOW = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
EXPORTERS = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
}
TRACER = trace.get_tracer("predictor")
PARENT = TraceContextTextMapPropagator()


def configure(variables: Mapping[str, str], source: Source) -> bool:
    """Send spans where `OTEL_*` say; return whether they go anywhere.

    Raises StartError for a protocol that is not known. An image without the extra
    serves without spans, and says so.
    """
    if not any(variables.get(name) for name in TO) or _is_off(variables):
        return False
    how = next((variables[name] for name in HOW if variables.get(name)), "grpc")
    if how not in EXPORTERS:
        known = " or ".join(EXPORTERS)
        raise StartError(f"{HOW[1]}: expected {known}, got {how!r}")
    try:
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        resources = importlib.import_module("opentelemetry.sdk.resources")
        sampling = importlib.import_module("opentelemetry.sdk.trace.sampling")
        exporter = importlib.import_module(EXPORTERS[how]).OTLPSpanExporter()
    except ModuleNotFoundError as error:
        logger.warning("no spans: %s; install the extra tracing", error)
        return False
    about = {"service.name": source.model, "service.version": source.version}
    about = {**about, "service.instance.id": source.revision}
    named = {**about, **resources.OTELResourceDetector().detect().attributes}
    provider = sdk.TracerProvider(
        sampling.ParentBased(sampling.ALWAYS_OFF), resources.Resource.create(named)
    )
    provider.add_span_processor(export.BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return True


def _is_off(variables: Mapping[str, str]) -> bool:
    is_disabled = variables.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return is_disabled or variables.get("OTEL_TRACES_EXPORTER") == "none"


def is_sampled(traceparent: bytes) -> bool:
    """Return whether a `traceparent` asks for spans."""
    return len(traceparent) > SAMPLED_AT and traceparent[SAMPLED_AT] in ODD


def trace_id() -> str:
    """Return the trace that the current request is part of, "" if it has no spans."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.trace_flags.sampled else ""


@contextmanager
def span(name: str, **attributes: int) -> Iterator[None]:
    """Time a part of a request that has spans; do nothing for another."""
    if not trace.get_current_span().get_span_context().trace_flags.sampled:
        yield
        return
    with TRACER.start_as_current_span(
        name,
        attributes=attributes,
        record_exception=False,  # it may quote the request
        set_status_on_exception=False,
    ):
        yield


def describe(source: Source) -> None:
    """Say in the span of a request, if it has one, which model answers it."""
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attribute("intent.model.version", source.version)
        current.set_attribute("intent.revision", source.revision)


@contextmanager
def call(name: str, carrier: Mapping[str, str]) -> Iterator[trace.Span]:
    """Open the span of a gRPC call, below that of whoever sent it."""
    with TRACER.start_as_current_span(
        name,
        PARENT.extract(carrier),
        trace.SpanKind.SERVER,
        {"rpc.system.name": "grpc"},
        record_exception=False,
        set_status_on_exception=False,
    ) as found:
        yield found

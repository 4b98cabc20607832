"""The same task, traced with OpenTelemetry.

Spans go by OTLP to http://localhost:4318, the exporter's default, where a collector in the same task listens (awsvpc mode).
OTEL_EXPORTER_OTLP_ENDPOINT says another place.
"""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import orders

provider = TracerProvider(resource=Resource.create({"service.name": "python-app"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=5)))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer(__name__)


def main():
    with tracer.start_as_current_span("main"), tracer.start_as_current_span("count-open-orders") as span:
        count = orders.count_open(":memory:")
        span.set_attribute("open", count)
    print(f"{count} open orders")


if __name__ == "__main__":
    try:
        main()
    finally:
        provider.shutdown()  # spans wait in a batch, and the task ends here

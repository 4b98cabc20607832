"""Reads an OTLP export request (protobuf) and prints it as JSON. Run by the app's Python, which has the messages' types."""

import sys

from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if __name__ == "__main__":
    print(MessageToJson(ExportTraceServiceRequest.FromString(sys.stdin.buffer.read())))

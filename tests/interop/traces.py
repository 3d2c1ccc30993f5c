"""What the gateway sends a collector, read with OpenTelemetry's own definitions for Python.

    traces.py ROOT    ROOT is the project's folder

The gateway's own test (`cargo test --test gateway traces::`) plays the collector and keeps what comes.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def wrong(spans: list) -> list[str]:
    """What does not hold of these spans."""
    found = []
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        if len(span.trace_id) != 16 or len(span.span_id) != 8 or not any(span.trace_id) or not any(span.span_id):
            found.append(f"{span.name}: its ids are no W3C ids")
        if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
            found.append(f"{span.name}: it ends before it begins")
        parent = by_id.get(span.parent_span_id)
        if span.parent_span_id and (parent is None or parent.trace_id != span.trace_id):
            found.append(f"{span.name}: its parent is not in its trace")
        if not span.parent_span_id and (span.name, span.kind) != ("call", Span.SPAN_KIND_SERVER):
            found.append(f"{span.name}: a trace begins with a call")
        if span.name == "peer" and span.kind != Span.SPAN_KIND_CLIENT:
            found.append("peer: it is no client's span")
        refused = any(a.key == "hjemmel.outcome" and a.value.string_value == "refused" for a in span.attributes)
        if refused != (span.status.code == Status.STATUS_CODE_ERROR):
            found.append(f"{span.name}: its status is not its outcome's")
    return found


def main(project: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"HJEMMEL_TRACES_TO": folder}
        tests = ["cargo", "test", "--locked", "--quiet", "--test", "gateway", "traces::a_call_is_one_trace"]
        passed = subprocess.run(tests, cwd=project, env=environment, stdout=subprocess.DEVNULL).returncode == 0
        requests = [ExportTraceServiceRequest.FromString(file.read_bytes()) for file in Path(folder).iterdir()]
        resources = [resource for request in requests for resource in request.resource_spans]
        named = all(
            any(a.key == "service.name" and a.value.string_value == "hjemmel" for a in of.resource.attributes) for of in resources
        )
        spans = [span for of in resources for scope in of.scope_spans for span in scope.spans]
        found = wrong(spans)
        print(f"traces read by opentelemetry-proto: {len(requests)} batches, {len(spans)} spans, {len(found)} wrong", *found, sep="\n  ")
        return 0 if passed and named and len(spans) > 10 and not found else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

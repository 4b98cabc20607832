"""The documented rules of a segment, as it comes to the X-Ray daemon by UDP.

Sources: the X-Ray developer guide, "X-Ray segment documents" and "Sending segment documents to the X-Ray daemon".
"""

import json
import re

HEADER = {"format": "json", "version": 1}
MAX_BYTES = 64 * 1024
MAX_NAME = 200
NAME = re.compile(r"[\w\s.:/%&#=+\\@-]+")
ID = re.compile(r"[0-9a-f]{16}")
TRACE_ID = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
ORIGINS = {"AWS::EC2::Instance", "AWS::ECS::Container", "AWS::ElasticBeanstalk::Environment"}
ANNOTATION_KEY = re.compile(r"[A-Za-z0-9_]+")


def parse(datagram):
    """The segment in a datagram, and all that the rules find wrong with it."""
    header, newline, document = datagram.partition(b"\n")
    if not newline:
        return {}, ["no line between header and document"]
    faults = [] if json.loads(header) == HEADER else [f"header {header!r}"]
    if len(document) > MAX_BYTES:
        faults.append(f"{len(document)} bytes")
    segment = json.loads(document)
    if not _matches(TRACE_ID, segment.get("trace_id")):
        faults.append(f"trace_id {segment.get('trace_id')!r}")
    if segment.get("origin", "AWS::ECS::Container") not in ORIGINS:
        faults.append(f"origin {segment['origin']!r}")
    if not isinstance(segment.get("aws", {}), dict):
        faults.append("aws is no object")
    ids = [part.get("id") for part in parts(segment)]
    if len(set(ids)) != len(ids):
        faults.append("an id is there twice")
    return segment, faults + _faults_of(segment)


def parts(segment):
    """The segment and its subsegments, at any depth."""
    yield segment
    for subsegment in segment.get("subsegments", []):
        yield from parts(subsegment)


def _faults_of(part):
    name, faults = part.get("name"), []
    if not _matches(NAME, name) or len(name) > MAX_NAME:
        faults.append(f"name {name!r}")
    if not _matches(ID, part.get("id")):
        faults.append(f"id {part.get('id')!r}")
    faults += _faults_of_times(part)
    for key, value in part.get("annotations", {}).items():
        if not _matches(ANNOTATION_KEY, key) or not isinstance(value, (str, int, float, bool)):
            faults.append(f"annotation {key!r}")
    for subsegment in part.get("subsegments", []):
        # Within a segment both may be left out.
        if subsegment.get("parent_id", part.get("id")) != part.get("id"):
            faults.append(f"parent_id {subsegment['parent_id']!r}")
        if subsegment.get("trace_id", part.get("trace_id")) != part.get("trace_id"):
            faults.append("trace_id of a subsegment is another one")
        faults += _faults_of(subsegment)
    return faults


def _faults_of_times(part):
    start, end = part.get("start_time"), part.get("end_time")
    if not _is_number(start):
        return [f"start_time {start!r}"]
    if end is None:
        return [] if part.get("in_progress") is True else ["neither end_time nor in_progress"]
    if part.get("in_progress"):
        return ["end_time and in_progress"]
    return [] if _is_number(end) and end >= start else [f"end_time {end!r}"]


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _matches(pattern, value):
    return isinstance(value, str) and pattern.fullmatch(value) is not None

"""Reads a trace with Perfetto's own schema and prints what is in it as one line of JSON; fields that the schema does not know are counted."""
import json
import sys

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as schema

trace = schema.Trace()
with open(sys.argv[1], "rb") as file:
    trace.ParseFromString(file.read())
out = {"packets": 0, "switches": 0, "wakes": 0, "newborn": 0, "processes": 0, "threads": 0, "counters": 0, "slices": [], "tracks": [], "unknown": 0, "commands": [], "disorder": 0}
last = {}
for packet in trace.packet:
    out["packets"] += 1
    kind = packet.WhichOneof("data")
    if kind is None:
        out["unknown"] += 1
    elif kind == "ftrace_events":
        for event in packet.ftrace_events.event:
            cpu = packet.ftrace_events.cpu
            out["disorder"] += event.timestamp < last.get(cpu, 0)
            last[cpu] = event.timestamp
            what = event.WhichOneof("event")
            key = {"sched_switch": "switches", "sched_waking": "wakes", "sched_wakeup_new": "newborn"}.get(what)
            out[key or "unknown"] += 1
    elif kind == "process_tree":
        out["processes"] += len(packet.process_tree.processes)
        out["threads"] += len(packet.process_tree.threads)
        out["commands"] += [p.cmdline[0] for p in packet.process_tree.processes]
    elif kind == "track_descriptor":
        out["tracks"].append(packet.track_descriptor.name)
    elif kind == "track_event":
        event = packet.track_event
        if event.type == event.TYPE_COUNTER:
            out["counters"] += 1
        elif event.type == event.TYPE_SLICE_BEGIN:
            out["slices"].append(event.name)
        elif event.type not in (event.TYPE_SLICE_END, event.TYPE_INSTANT):
            out["unknown"] += 1
    else:
        out["unknown"] += 1
print(json.dumps(out))

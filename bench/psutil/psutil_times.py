"""Measures psutil itself: answers each line, `tick N` or `walk N`, with N durations in ns, and `values` with what it reads."""
import json
import sys
import time

import psutil


def tick():
    psutil.cpu_times_percent()
    psutil.cpu_stats()
    psutil.virtual_memory()
    psutil.swap_memory()
    psutil.disk_io_counters()
    psutil.getloadavg()


def walk():
    return sum(p.info["num_threads"] or 0 for p in psutil.process_iter(["status", "num_threads", "num_ctx_switches"]))


for line in sys.stdin:
    words = line.split()
    if words[0] == "values":
        memory = psutil.virtual_memory()
        print(json.dumps({"total": memory.total, "threads": walk(), "interrupts": psutil.cpu_stats().interrupts}), flush=True)
        continue
    body = tick if words[0] == "tick" else walk
    times = []
    for _ in range(int(words[1])):
        begin = time.perf_counter_ns()
        body()
        times.append(time.perf_counter_ns() - begin)
    print(json.dumps(times), flush=True)

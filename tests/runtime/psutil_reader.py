"""Answers one line of JSON with psutil's raw values for each line that names a procfs on standard input."""
import json
import sys

import psutil


def reading(procfs):
    psutil.PROCFS_PATH = procfs
    memory, swap, stats = psutil.virtual_memory(), psutil.swap_memory(), psutil.cpu_stats()
    out = {
        "cpu": psutil.cpu_times()._asdict(),
        "cpus": [c._asdict() for c in psutil.cpu_times(percpu=True)],
        "ctx_switches": stats.ctx_switches,
        "interrupts": stats.interrupts,
        "used": memory.used,
        "available": memory.available,
        "total": memory.total,
        "cached": memory.cached,
        "buffers": memory.buffers,
        "swap_used": swap.used,
        "sin": swap.sin,
        "sout": swap.sout,
        # Since the procfs that was asked for before.
        "cpu_percent": psutil.cpu_percent(),
        "times_percent": psutil.cpu_times_percent()._asdict(),
    }
    if procfs == "/proc":  # it looks for devices in the real /sys
        out["disks"] = {name: [d.read_bytes, d.write_bytes] for name, d in psutil.disk_io_counters(perdisk=True).items()}
    return out


print(json.dumps({"psutil": psutil.__version__}), flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "switches":
        psutil.PROCFS_PATH = words[1]
        print(json.dumps(list(psutil.Process(int(words[2])).num_ctx_switches())), flush=True)
    else:
        print(json.dumps(reading(words[0])), flush=True)

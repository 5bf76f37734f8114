// SPDX-License-Identifier: GPL-2.0-only
// Programs that do nothing where the probe's do their work: what the kernel takes for calling them at all.
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("tp_btf/sched_switch")
int on_switch(void *ctx) { return 0; }

SEC("tp_btf/sched_wakeup")
int on_wakeup(void *ctx) { return 0; }

#!/usr/bin/env python3
"""The time from a finished build to the program's first line: `coracle run` of an image on disk, `runc run` of a ready
bundle of the same image, `podman run` of it. Usage: benches/run_start.py IMAGE RUNS [BUNDLE]

IMAGE is an OCI layout, such as oci:hello.oci, whose program prints a line and ends. BUNDLE is what `umoci unpack` has made of
it, with `terminal` false and without a network namespace. Podman has the image under the name localhost/run-start."""
import os, statistics, subprocess, sys, time

image, runs = sys.argv[1], int(sys.argv[2])
commands = {"coracle run": ["coracle", "run", "-q", image]}
if len(sys.argv) > 3:
    commands["runc run"] = ["runc", "run", "--bundle", sys.argv[3], f"run-start-{os.getpid()}"]
    commands["podman run"] = ["podman", "run", "--rm", "--network", "host", "--read-only", "--cap-drop", "ALL", "localhost/run-start"]


def first_line(command):
    start = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline(), command
    elapsed = time.monotonic() - start
    process.communicate()
    return elapsed * 1000


times = {name: [] for name in commands}
for run in range(runs + 1):
    for name, command in commands.items():
        elapsed = first_line(command)
        # The first run unpacks the image.
        if run:
            times[name].append(elapsed)
for name, values in times.items():
    values.sort()
    print(f"{name:12} median {statistics.median(values):6.1f} ms, minimum {values[0]:6.1f} ms, maximum {values[-1]:6.1f} ms")

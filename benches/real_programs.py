#!/usr/bin/env python3
"""Builds images of real programs and prints which do their job in a pod, as a Markdown table.

    python3 benches/real_programs.py [--coracle PATH] [--json FILE] [--install] [NAME ...]

Each job of real_programs.toml runs on this machine first, then in the image of a plain `coracle build`, in that of
`coracle build --complete`, and in that built after `coracle record`. It needs root, runc, and the Debian packages that
the entries name; `--install` installs them. Exits with 1 if a build was silent about a program that does not do its
job, or if no kind of build makes it do so.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib

import certificates
import jobs
from pod import Pod

HERE = pathlib.Path(__file__).resolve().parent
NOTE = re.compile(r"^(?:hint|warning|note|error): ", re.MULTILINE)


class Coracle:
    """The program under test, and which of the wanted kinds of build it has."""

    def __init__(self, path):
        self.path = str(pathlib.Path(path).resolve())
        options = self.run(["build", "--help"]).stdout
        self.has_complete = "--complete" in options
        # The servers of the jobs have certificates of an authority that only this machine knows.
        self.trust = ["--local-certificates"] if "--local-certificates" in options else []
        self.has_record = self.run(["record", "--help"]).returncode == 0

    def run(self, arguments, folder=None):
        return subprocess.run([self.path, *arguments], cwd=folder, capture_output=True, text=True, check=False)

    def build(self, arguments, folder, layout):
        options = ["--no-cache", "--compression", "none", "-o", f"oci:{layout}"]
        built = self.run(["build", *options, *self.trust, *arguments], folder)
        # It is an error for a program that uses no certificates.
        if built.returncode and "`local-certificates` has no effect" in built.stderr:
            return self.run(["build", *options, *arguments], folder)
        return built

    def hints(self, entry, project):
        """Returns the hints and warnings of a plain build; none if it fails, which it says itself."""
        done = self.run(["build", "--dry-run", "--format", "json", entry.program, *entry.build], project)
        if done.returncode:
            return []
        image = json.loads(done.stdout)["images"][0]
        return [*image.get("hints", []), *image.get("warnings", [])]


def count_hints(hints):
    """A hint in text form has one row for each thing that the image may lack."""
    rows = lambda hint: len(re.findall(r"^  \S", hint, re.MULTILINE)) or 1
    return sum(rows(hint) if isinstance(hint, str) else 1 for hint in hints)


class Attempt:
    """The runs of one entry's job, each in a directory of its own."""

    def __init__(self, entry, project, scratch, coracle):
        self.entry, self.project, self.scratch, self.coracle = entry, project, scratch, coracle
        self.program = os.path.join(project, entry.program.split(":")[0])

    def on_host(self):
        """Returns why the job fails on this machine, or None."""
        return self.attempt("host", lambda job, holder: jobs.Host(self.program, job, holder))

    def in_image(self, mode, arguments):
        """Returns why the job fails in the image of a build with these arguments, or None; and what the build says."""
        messages = []

        def pod(job, holder):
            layout = self.scratch / mode / "image"
            built = self.coracle.build(arguments, self.project, layout)
            messages.append(built.stderr)
            if built.returncode:
                raise jobs.JobFailed(f"build failed: {jobs.last_lines(built.stderr)}")
            return Pod(layout, self.scratch / mode / "pod", job, f"/proc/{holder}/ns/net", bool(self.entry.tmp))

        return self.attempt(mode, pod), "".join(messages)

    def recorded(self):
        """Returns why the job fails in the image that `coracle record` of the job leads to, or None."""
        try:
            with jobs.job_folder(self.entry, self.project, self.scratch / "recording") as job, jobs.network() as holder:
                jobs.run_job(self.entry, jobs.Recorder(self.program, job, holder, self.coracle.path), job, holder)
            recipe = job / "coracle.toml"
            # None is written if the plain image has all that was opened.
            plain = [self.entry.program, *self.entry.build]
            return self.in_image("record", ["-f", str(recipe)] if recipe.exists() else plain)[0]
        except jobs.JobFailed as failure:
            return f"recording failed: {failure}"

    def attempt(self, mode, machine):
        folder = self.scratch / mode
        try:
            with jobs.job_folder(self.entry, self.project, folder) as job, jobs.network() as holder:
                jobs.check_job(self.entry, job, *jobs.run_job(self.entry, machine(job, holder), job, holder))
        except jobs.JobFailed as failure:
            return str(failure)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return None


def complete_arguments(coracle, hints):
    """Arguments that add everything that the hints name; None if the program under test has no such thing."""
    if coracle.has_complete:
        return ["--complete"]
    arguments = [hint["args"] for hint in hints if isinstance(hint, dict) and "args" in hint]
    return [argument for group in arguments for argument in group] if arguments else None


def measure(entry, coracle, cache):
    row = {"name": entry.name, "host": None, "plain": None, "complete": None, "record": None, "hints": [], "silent": False}
    with tempfile.TemporaryDirectory(prefix="real-programs-", dir=cache) as scratch:
        scratch = pathlib.Path(scratch)
        scratch.chmod(0o755)
        try:
            project = jobs.project_folder(entry, cache)
        except jobs.JobFailed as failure:
            return row | {"host": f"setup: {failure}"}
        attempt = Attempt(entry, project, scratch, coracle)
        row["host"] = attempt.on_host()
        if row["host"]:
            return row
        row["hints"] = coracle.hints(entry, project)
        plain = [entry.program, *entry.build]
        row["plain"], messages = attempt.in_image("plain", plain)
        row["silent"] = not row["hints"] and not NOTE.search(messages)
        extra = complete_arguments(coracle, row["hints"])
        # Before the program: what follows `--` is the program's own.
        row["complete"] = "no such option" if extra is None else attempt.in_image("complete", [*extra, *plain])[0]
        row["record"] = attempt.recorded() if coracle.has_record else "no such command"
    return row


def table(rows, coracle):
    print("| program | hints | silent | plain | `--complete` | `record` | why the plain image fails |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        if row["host"]:
            print(f"| {row['name']} | | | the job fails on this machine | | | {cell(row['host'])} |")
            continue
        kinds = [word(row["plain"], True), word(row["complete"], coracle.has_complete), word(row["record"], coracle.has_record)]
        silent = "silent" if row["silent"] else ""
        print(f"| {row['name']} | {count_hints(row['hints'])} | {silent} | {' | '.join(kinds)} | {cell(row['plain'] or '')} |")


def word(failure, is_available):
    return "yes" if failure is None else "no" if is_available else "–"


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")[:240]


def summary(rows):
    """Prints the totals; returns whether they are as wanted."""
    measured = [row for row in rows if not row["host"]]
    works = lambda kind: [row for row in measured if row[kind] is None]
    never = [row for row in measured if all(row[kind] for kind in ("plain", "complete", "record"))]
    bad = [row for row in measured if row["silent"] and row["plain"]]
    counts = [count_hints(row["hints"]) for row in works("plain")]
    print(
        f"\n{len(measured)} programs: {len(works('plain'))} work as they are, {len(works('complete'))} with `--complete`, "
        f"{len(works('record'))} after `record`, {len(never)} never. Silent and broken: {len(bad)}. Hints on programs "
        f"that work as they are: {statistics.median(counts) if counts else 0:g} in the median."
    )
    for title, group in (("never", never), ("silent and broken", bad), ("fail on this machine", [r for r in rows if r["host"]])):
        if group:
            print(f"{title}: {', '.join(row['name'] for row in group)}")
    return not never and not bad


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="measure only these programs")
    parser.add_argument("--coracle", default=HERE.parent / "target/release/coracle", help="the program under test")
    parser.add_argument("--json", type=pathlib.Path, help="also write the results, with all hints, to this file")
    parser.add_argument("--cache", type=pathlib.Path, default="/home/coracle-real-programs", help="compiled sources")
    parser.add_argument("--install", action="store_true", help="install the Debian packages first")
    return parser.parse_args()


def chosen_programs(names):
    data = tomllib.loads((HERE / "real_programs.toml").read_text())
    entries = [jobs.Program(**fields) for fields in data["program"]]
    unknown = set(names) - {entry.name for entry in entries}
    if unknown:
        sys.exit(f"real_programs.toml has no program {', '.join(sorted(unknown))}")
    return [entry for entry in entries if not names or entry.name in names]


def main():
    options = parse_arguments()
    if os.geteuid() != 0:
        sys.exit("containers without capabilities are started by root: run this as root")
    if "REAL_PROGRAMS_NAMESPACE" not in os.environ:
        os.environ["REAL_PROGRAMS_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])
    entries = chosen_programs(options.names)
    if options.install:
        packages = sorted({package for entry in entries for package in entry.packages})
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *packages], check=True, stdout=sys.stderr)
    options.cache.mkdir(parents=True, exist_ok=True)
    certificates.trust_test_authority(options.cache)
    coracle = Coracle(options.coracle)
    rows = []
    with concurrent.futures.ThreadPoolExecutor(2) as workers:
        for row in workers.map(lambda entry: measure(entry, coracle, options.cache), entries):
            print(f"{row['name']}: {row['host'] or row['plain'] or 'works'}", file=sys.stderr)
            rows.append(row)
    table(rows, coracle)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    sys.exit(0 if summary(rows) else 1)


if __name__ == "__main__":
    main()

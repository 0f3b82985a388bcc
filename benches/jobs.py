"""Jobs of real programs: their files, the servers that they talk to, and what they must produce.

A job runs in a directory that is mounted at the same path on the host and in a container, as the same user, in a
network namespace that has only a loopback interface. So a job that is right on the host is right for the image too.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

JOB_DIR = "/srv"
USER = "65532:65532"
TIME_LIMIT = 60
OWN_PROCESSES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
HOST_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nonexistent"}


@dataclasses.dataclass
class Program:
    """An entry of real_programs.toml; the comment at its top describes the keys."""

    name: str
    program: str
    runs: list
    packages: list = dataclasses.field(default_factory=list)
    sources: dict = dataclasses.field(default_factory=dict)
    setup: str = ""
    build: list = dataclasses.field(default_factory=list)
    copies: list = dataclasses.field(default_factory=list)
    files: dict = dataclasses.field(default_factory=dict)
    prepare: str = ""
    peer: str = ""
    probe: str = ""
    env: dict = dataclasses.field(default_factory=dict)
    stdin: str = ""
    tmp: str = ""
    status: int = 0
    stdout: str = ""
    stderr: str = ""
    produces: dict = dataclasses.field(default_factory=dict)


class JobFailed(Exception):
    """What a job did instead of what was expected."""


def project_folder(entry, cache):
    """The directory with the entry's sources, in which its setup has run once."""
    key = hashlib.sha256(repr((entry.sources, entry.setup)).encode()).hexdigest()[:12]
    folder = cache / f"{entry.name}-{key}"
    done = folder.with_suffix(".done")
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        write_files(folder, entry.sources)
        if entry.setup:
            run_shell(entry.setup, folder)
        done.touch()
    return folder


def write_files(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755 if text.startswith("#!") else 0o644)


def run_shell(script, folder):
    done = subprocess.run(["bash", "-euc", script], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise JobFailed(f"`{script.strip().splitlines()[0]} …` failed: {last_lines(done.stderr or done.stdout)}")


def last_lines(text, count=4):
    return " / ".join([line.strip() for line in text.splitlines() if line.strip()][-count:])


@contextlib.contextmanager
def job_folder(entry, project, parent):
    """A new directory with the job's files, owned by the user."""
    folder = parent / "job"
    write_files(folder, entry.files)
    for name in entry.copies:
        subprocess.run(["cp", "-a", str(project / name), str(folder)], check=True)
    if entry.prepare:
        run_shell(entry.prepare, folder)
    subprocess.run(["chown", "-R", USER, str(folder)], check=True)
    yield folder


@contextlib.contextmanager
def network():
    """A network namespace with a loopback interface; yields the id of a process in it."""
    holder = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "ip link set lo up; echo up; exec sleep infinity"], stdout=subprocess.PIPE
    )
    try:
        holder.stdout.readline()
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def in_network(holder, *command):
    return ["nsenter", f"--net=/proc/{holder}/ns/net", "--", *command]


def is_listening(holder):
    tables = (pathlib.Path(f"/proc/{holder}/net/{name}").read_text() for name in ("tcp", "tcp6"))
    return any(line.split()[3] == "0A" for table in tables for line in table.splitlines()[1:])


@contextlib.contextmanager
def peer(entry, folder, holder):
    """The server on the host that the job talks to, if it needs one."""
    if not entry.peer:
        yield
        return
    command = in_network(holder, *OWN_PROCESSES, "bash", "-euc", entry.peer)
    with subprocess.Popen(command, cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: is_listening(holder), "the peer listens")
            yield
        finally:
            kill_group(server, signal.SIGKILL)


def wait_until(condition, what, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise JobFailed(f"timeout before {what}")
        time.sleep(0.02)


class Host:
    """Starts the program of a job on this machine, as the user of images and with the job's directory at JOB_DIR."""

    time_limit = TIME_LIMIT
    ends_on_request = False

    def __init__(self, program, folder, holder, *wrapper):
        accounts = self.accounts(folder.parent)
        script = f'mount --bind "$0" {JOB_DIR} && {accounts} && cd {JOB_DIR} && exec "$@"'
        uid, gid = USER.split(":")
        drop = ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--no-new-privs"]
        self.command = [*in_network(holder, *OWN_PROCESSES), "sh", "-c", script, str(folder), *drop, *wrapper, program]

    def accounts(self, parent):
        """Writes accounts that have the user, as those of images have; returns the command that mounts them."""
        for name, line in (("passwd", f"nonroot:x:{USER}::/:/usr/sbin/nologin\n"), ("group", "nonroot:x:65532:\n")):
            (parent / name).write_text(pathlib.Path("/etc", name).read_text() + line)
        return " && ".join(f"mount --bind {parent / name} /etc/{name}" for name in ("passwd", "group"))

    def start(self, arguments, environment, **streams):
        process = subprocess.Popen(
            [*self.command, *arguments], env=HOST_ENVIRONMENT | environment, start_new_session=True, **streams
        )
        return process, lambda: self.end(process)

    def end(self, process):
        kill_group(process, signal.SIGKILL)


class Recorder(Host):
    """Starts the program under `coracle record`, which writes a recipe into the job's directory.

    It reports what was recorded when the program and all that it started have ended, or at an interrupt.
    """

    time_limit = 20
    ends_on_request = True

    def __init__(self, program, folder, holder, coracle):
        super().__init__(program, folder, holder, coracle, "record", "--write", "--cache-dir", f"{JOB_DIR}/.cache", "--")

    def end(self, process):
        kill_group(process, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(self.time_limit)
        kill_group(process, signal.SIGKILL)


def kill_group(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def run_job(entry, machine, folder, holder):
    """Runs all programs of a job; returns what they printed on stdout, or their server's answer, and on stderr."""
    output, complaints = "", ""
    with peer(entry, folder, holder):
        for arguments in entry.runs[: -1 if entry.probe else None]:
            printed = run_once(entry, machine, arguments, folder)
            output, complaints = output + printed[0], complaints + printed[1]
        if entry.probe:
            output += serve(entry, machine, folder, holder)
    return output, complaints


def check_job(entry, folder, output, complaints):
    """Raises JobFailed unless a job has done what the entry says."""
    if not (re.search(entry.stdout, output) and re.search(entry.stderr, complaints)):
        raise JobFailed(f"printed {(output + complaints)[-200:]!r}")
    for name, pattern in entry.produces.items():
        path = folder / name
        if not path.is_file():
            raise JobFailed(f"did not write {name}; it printed {last_lines(output + complaints)!r}")
        if not re.search(pattern.encode("latin-1"), path.read_bytes(), re.DOTALL):
            raise JobFailed(f"wrote a {name} that does not match")


def run_once(entry, machine, arguments, folder):
    """Runs a program to its end; returns its stdout and stderr."""
    log = folder.with_name("stderr")
    with log.open("w+b") as errors:
        process, kill = machine.start(
            arguments, entry.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            output, _ = process.communicate(entry.stdin.encode(), timeout=machine.time_limit)
        except subprocess.TimeoutExpired as timeout:
            kill()
            output, _ = process.communicate()
            if not machine.ends_on_request:
                raise JobFailed(f"`{' '.join(arguments)}` did not end") from timeout
        finally:
            kill()
    text, complaints = output.decode(errors="replace"), log.read_text(errors="replace")
    if process.returncode != entry.status:
        raise JobFailed(f"status {process.returncode}: {last_lines(complaints or text)}")
    return text, complaints


def serve(entry, machine, folder, holder):
    """Starts a server and probes it from the host until the answer is right; returns the answer."""
    log = folder.with_name("server.log")
    with log.open("w+b") as errors:
        process, kill = machine.start(entry.runs[-1], entry.env, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        try:
            return probe_until_right(entry, process, folder, holder, log)
        finally:
            kill()
            process.wait()


def probe_until_right(entry, process, folder, holder, log):
    end = time.monotonic() + 15
    while True:
        command = in_network(holder, "bash", "-euo", "pipefail", "-c", entry.probe)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIME_LIMIT)
        if done.returncode == 0 and re.search(entry.stdout, done.stdout):
            return done.stdout
        if process.poll() is not None:
            raise JobFailed(f"the server ended: {last_lines(log.read_text(errors='replace'))}")
        if time.monotonic() > end:
            answer = last_lines(done.stdout + done.stderr)
            raise JobFailed(f"the probe got {answer!r}; the log: {last_lines(log.read_text(errors='replace'))}")
        time.sleep(0.1)

"""Runs images of an OCI layout with runc as a pod runs them: no capabilities, a read-only root, a network of its own.

The user, the environment and the entrypoint are the image's. Writable are the job's directory, the volumes and the
writable directories that the image declares, and `/tmp` if the job says so.
"""

import json
import subprocess
import tarfile
import uuid

from jobs import JOB_DIR, TIME_LIMIT, USER

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONTRACT = "io.coracle.config.v1"
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"]
READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def read_blob(layout, descriptor):
    return layout / "blobs" / descriptor["digest"].replace(":", "/")


def unpack(layout, rootfs):
    """Unpacks the only image of a layout; returns the `config` object of its configuration."""
    index = json.loads((layout / "index.json").read_bytes())
    manifest = json.loads(read_blob(layout, index["manifests"][0]).read_bytes())
    for layer in manifest["layers"]:
        with tarfile.open(read_blob(layout, layer)) as archive:
            archive.extractall(rootfs, numeric_owner=True, filter="fully_trusted")
    return json.loads(read_blob(layout, manifest["config"]).read_bytes())["config"]


def mount(kind, target, source=None, options=()):
    return {"type": kind, "source": source or kind, "destination": target, "options": list(options)}


def bind(source, target, *options):
    return mount("bind", target, str(source), ["rbind", *options])


class Pod:
    """An unpacked image with its job's directory; each run is a container of its own."""

    time_limit = TIME_LIMIT
    ends_on_request = False

    def __init__(self, layout, folder, job_folder, network, tmp):
        self.folder = folder
        self.rootfs = folder / "rootfs"
        self.rootfs.mkdir(parents=True)
        self.image = unpack(layout, self.rootfs)
        self.network = network
        self.mounts = [
            mount("proc", "/proc"),
            mount("tmpfs", "/dev", options=["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("devpts", "/dev/pts", options=["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            mount("tmpfs", "/dev/shm", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
            mount("mqueue", "/dev/mqueue", options=["nosuid", "noexec", "nodev"]),
            mount("sysfs", "/sys", options=["nosuid", "noexec", "nodev", "ro"]),
            *self.kubelet_files(),
            bind(job_folder, JOB_DIR, "rw"),
            *self.empty_dirs(tmp),
        ]

    def kubelet_files(self):
        """The files that a kubelet mounts into every container."""
        for name, text in (("hosts", "127.0.0.1 localhost\n"), ("resolv.conf", "nameserver 127.0.0.1\n"), ("hostname", "pod\n")):
            path = self.folder / name
            path.write_text(text)
            yield bind(path, f"/etc/{name}", "ro")

    def empty_dirs(self, tmp):
        """Volumes as `emptyDir` has them, where the image declares them and where the job has a reason for one."""
        for number, path in enumerate(self.writable(tmp)):
            volume = self.folder / f"volume-{number}"
            volume.mkdir()
            volume.chmod(0o777)
            yield bind(volume, path, "rw")

    def writable(self, tmp):
        label = (self.image.get("Labels") or {}).get(CONTRACT, "{}")
        declared = [entry["path"] for entry in json.loads(label).get("writable", [])]
        paths = {*declared, *(self.image.get("Volumes") or {}), *(["/tmp"] if tmp else [])}
        return [path for path in sorted(paths) if not f"{path}/".startswith(f"{JOB_DIR}/")]

    def spec(self, arguments, environment):
        user, _, group = (self.image.get("User") or USER).partition(":")
        variables = [DEFAULT_PATH, "HOSTNAME=pod", *(self.image.get("Env") or [])]
        variables += [f"{name}={value}" for name, value in environment.items()]
        nothing = {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")}
        return {
            "ociVersion": "1.0.2",
            "process": {
                "terminal": False,
                "user": {"uid": int(user), "gid": int(group or user)},
                "args": [*(self.image.get("Entrypoint") or []), *(arguments or self.image.get("Cmd") or [])],
                "env": variables,
                "cwd": JOB_DIR,
                "capabilities": nothing,
                "noNewPrivileges": True,
            },
            "root": {"path": str(self.rootfs), "readonly": True},
            "hostname": "pod",
            "mounts": self.mounts,
            "linux": {
                "namespaces": [
                    *({"type": kind} for kind in ("pid", "ipc", "uts", "mount")),
                    {"type": "network", "path": self.network},
                ],
                "maskedPaths": MASKED,
                "readonlyPaths": READ_ONLY,
            },
        }

    def start(self, arguments, environment, **streams):
        """Starts a container; returns its process and a function that kills it."""
        name = f"coracle-{uuid.uuid4().hex}"
        bundle = self.folder / name
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self.spec(arguments, environment)))
        state = ["runc", "--root", str(self.folder / "runc")]
        process = subprocess.Popen([*state, "run", "--bundle", str(bundle), name], **streams)
        return process, lambda: subprocess.run([*state, "delete", "--force", name], capture_output=True, check=False)

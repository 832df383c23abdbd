"""A farm on this host: a labgrid coordinator, an exporter with its ser2net, and virtual modules behind UARTs."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from labgrid import Environment

#: Seconds anything of the farm may take to be there.
PATIENCE = 60
BIN = Path(sys.executable).parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", Path(__file__).parents[3] / "target")) / "debug"
QPYFLASH = TARGET / "qpyflash"
HIL = TARGET / "qpyflash-hil"
ENV = Path(__file__).parents[1] / "env.yaml"


class Process:
    """A program in a session of its own, so that what it starts ends with it; its words go into a file."""

    def __init__(self, folder, name, *command, **env):
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                env={**os.environ, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, pattern):
        """The first match in what it has said, as soon as it is said."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            text = self.log.read_text(errors="replace")
            match = re.search(pattern, text)
            if match:
                return match
            assert self.process.poll() is None, f"{self.process.args} has ended:\n{text}"
            time.sleep(0.05)
        raise AssertionError(f"{self.process.args} has not said {pattern!r}:\n{text}")

    def end(self):
        for order, patience in [(signal.SIGTERM, 10), (signal.SIGKILL, 10)]:
            try:
                os.killpg(self.process.pid, order)
                self.process.wait(patience)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass


@pytest.fixture
def package(tmp_path):
    """Makes firmware: `package("asr")` is the path of a zip."""

    def make(platform, *options):
        path = tmp_path / f"{platform}{''.join(options)}.zip"
        subprocess.run([HIL, "package", "--platform", platform, *options, path], check=True)
        return str(path)

    return make


def attached(folder, platform, *options):
    """A virtual module, and the path of its AT port."""
    name = f"module-{len(list(folder.iterdir()))}"
    options = ["--bus", folder / name, "--platform", platform, *options]
    process = Process(folder, name, HIL, "attach", *options)
    return process, process.wait_for(r"At: (\S+)").group(1)


@pytest.fixture
def uart(tmp_path):
    """The path of a UART with an ASR module behind it."""
    process, tty = attached(tmp_path, "asr", "--uart")
    yield tty
    process.end()


@pytest.fixture
def usb(tmp_path, monkeypatch):
    """Plugs ASR modules into this host's USB, which is a virtual one from then on."""
    plugged = []

    def plug(*options):
        process, tty = attached(tmp_path, "asr", *options)
        plugged.append(process)
        monkeypatch.setenv("QPYFLASH_VIRTUAL_BUS", str(Path(tty).parents[1]))

    yield plug
    for process in plugged:
        process.end()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Farm:
    """What `labgrid-client` sees."""

    def __init__(self, folder, ttys):
        self.address = f"127.0.0.1:{free_port()}"
        self.folder = folder
        self.processes = []
        self.ttys = ttys

    def start(self):
        text = "".join(f"{name}:\n  RawSerialPort:\n    port: {tty}\n    speed: 115200\n" for name, tty in self.ttys.items())
        (self.folder / "exporter.yaml").write_text(text)
        coordinator = [BIN / "labgrid-coordinator", "-l", self.address]
        self.processes.append(Process(self.folder, "coordinator", *coordinator))
        self.reach()
        exporter = [BIN / "labgrid-exporter", "-c", self.address, "-n", "rack", "--hostname", "127.0.0.1"]
        self.processes.append(Process(self.folder, "exporter", *exporter, "exporter.yaml"))
        for name in self.ttys:
            self.client("-p", name, "create")
            self.client("-p", name, "add-match", f"rack/{name}/NetworkSerialPort")
            self.acquire(name)

    def reach(self):
        host, port = self.address.split(":")
        until = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection((host, int(port)), 1).close()
            except OSError:
                assert time.monotonic() < until, "the coordinator does not listen"
                time.sleep(0.05)

    def acquire(self, name):
        """The exporter tells its resources some time after it has started."""
        until = time.monotonic() + PATIENCE
        while f"rack/{name}/" not in self.client("resources"):
            assert time.monotonic() < until, f"{name} is not exported"
            time.sleep(0.1)
        self.client("-p", name, "acquire")

    def client(self, *arguments):
        command = [BIN / "labgrid-client", "-x", self.address, *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def environment(self, name, firmware, monkeypatch, more=""):
        """`env.yaml` as it is published, for the place `name`."""
        monkeypatch.setenv("LG_COORDINATOR", self.address)
        monkeypatch.setenv("LG_QPYFLASH", str(QPYFLASH))
        monkeypatch.setenv("LG_FIRMWARE", firmware)
        text = ENV.read_text().replace("name: modem", f"name: {name}") + more
        path = self.folder / f"env-{name}.yaml"
        path.write_text(text)
        return Environment(str(path))

    def end(self):
        for process in reversed(self.processes):
            process.end()


@pytest.fixture(scope="session")
def farm(tmp_path_factory):
    """One for all tests: labgrid keeps its connection to a coordinator as long as the process lives."""
    folder = tmp_path_factory.mktemp("farm")
    modules = {name: attached(folder, name, "--uart") for name in ("asr", "unisoc8910")}
    built = Farm(folder, {name: tty for name, (_, tty) in modules.items()})
    try:
        built.start()
        yield built
    finally:
        built.end()
        for process, _ in modules.values():
            process.end()

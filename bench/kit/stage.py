"""The stage: the origin on one core, one gateway at a time on the other."""

import http.client
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from gateways.gateway import Gateway, Work
from kit import processes
from kit.places import built

GATEWAY_CORE = 0
LOAD_CORE = 1
READY_WITHIN = 60.0


class GatewayFailed(Exception):
    """A gateway did not do what a case needs."""


class Stage:
    """Holds the origin for as long as it is entered."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.origin_port = free_port()
        self.origin: subprocess.Popen | None = None

    def __enter__(self) -> "Stage":
        binary = built("bench-origin")
        if binary is None:
            raise SystemExit("bench/run: bench-origin is not built; run bench/setup")
        command = [binary, f"127.0.0.1:{self.origin_port}"]
        self.origin = processes.start_on_core(LOAD_CORE, command, self.folder / "origin.log")
        wait_for_answer(self.origin_port, "/s", self.origin)
        return self

    def __exit__(self, *_) -> None:
        processes.end(self.origin)

    def work(self, **particulars) -> Work:
        """What a gateway is to do, on ports of its own."""
        return Work(port=free_port(), admin_port=free_port(), origin_port=self.origin_port, **particulars)

    def start(self, gateway: Gateway, work: Work) -> "Running":
        return Running(gateway, work, self.folder / gateway.name)

    def own_cpu(self) -> float:
        """Seconds of CPU used so far by this program, the origin, and the loads that have ended."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        origin = processes.cpu_time([self.origin.pid])
        return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + origin.total


class Running:
    """A gateway that runs while this is entered."""

    def __init__(self, gateway: Gateway, work: Work, folder: Path):
        self.gateway, self.work, self.folder = gateway, work, folder
        self.process: subprocess.Popen | None = None
        self.ready_after = 0.0

    def __enter__(self) -> "Running":
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.write(self.work)
        began = time.monotonic()
        command = self.gateway.command(self.work, self.folder)
        self.process = processes.start_on_core(
            GATEWAY_CORE, command, self.folder / "gateway.log", self.gateway.environment(self.folder)
        )
        try:
            wait_for_answer(self.work.port, self.work.probe, self.process)
        except GatewayFailed as failure:
            processes.end(self.process)
            raise GatewayFailed(f"{self.gateway.name}: {failure}\n{self.last_words()}") from None
        self.ready_after = time.monotonic() - began
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                pass
        processes.end(self.process)

    def write(self, work: Work) -> None:
        """Puts the configuration files in place, each in one step."""
        for name, text in self.gateway.files(work, self.folder).items():
            fresh = self.folder / f"{name}.new"
            fresh.write_text(text)
            fresh.rename(self.folder / name)

    def reload(self) -> None:
        """Tells the gateway to read its files again."""
        self.process.send_signal(self.gateway.reload_signal)

    def pids(self) -> list[int]:
        return processes.family(self.process.pid)

    def last_words(self) -> str:
        lines = (self.folder / "gateway.log").read_text(errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-5:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_answer(port: int, path: str, process: subprocess.Popen) -> None:
    """Returns when a GET is answered with 200."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise GatewayFailed(f"ended with {process.returncode} instead of listening")
        if status_and_generation(port, path)[0] == 200:
            return
        time.sleep(0.005)
    raise GatewayFailed(f"no 200 for {path} within {READY_WITHIN:.0f} s")


def status_and_generation(port: int, path: str) -> tuple[int, str | None]:
    """The status of a GET on a connection of its own, and the `x-generation` it came with; 0 if there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        return reply.status, reply.getheader("x-generation")
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()

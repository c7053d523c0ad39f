"""The stage: the origin on one core, one gateway at a time on the other."""

import http.client
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from gateways.gateway import Front, Gateway, Identity, Upstream, Work
from kit import processes
from kit.places import built

GATEWAY_CORE = 0
LOAD_CORE = 1
READY_WITHIN = 60.0
# What HTTP/2 begins with, and an empty SETTINGS frame.
H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


class GatewayFailed(Exception):
    """A gateway did not do what a case needs."""


class Stage:
    """Holds the origin for as long as it is entered."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.origin_port = free_port()
        self.origin: subprocess.Popen | None = None
        self.others: dict[Upstream, tuple[int, subprocess.Popen]] = {}

    def __enter__(self) -> "Stage":
        self.origin = self.service("bench-origin", [], self.origin_port, "origin.log")
        wait_until(lambda: status_and_generation(self.origin_port, "/s")[0] == 200, self.origin)
        return self

    def __exit__(self, *_) -> None:
        processes.end(self.origin)
        for _, process in self.others.values():
            processes.end(process)

    def service(self, name: str, arguments: list[str], port: int, log: str) -> subprocess.Popen:
        """Starts one of our own services on the load's core."""
        binary = built(name)
        if binary is None:
            raise SystemExit(f"bench/run: {name} is not built; run bench/setup")
        command = [binary, *arguments, f"127.0.0.1:{port}"]
        return processes.start_on_core(LOAD_CORE, command, self.folder / log)

    def port_of(self, upstream: Upstream) -> int:
        """Where the service of this kind is, which runs from the first time that someone asks."""
        if upstream is Upstream.HTTP1:
            return self.origin_port
        if upstream not in self.others:
            port = free_port()
            process = self.service("bench-streams", [upstream.name.lower()], port, "streams.log")
            wait_until(lambda: listens(port), process)
            self.others[upstream] = port, process
        return self.others[upstream][0]

    def work(self, upstream: Upstream = Upstream.HTTP1, **particulars) -> Work:
        """What a gateway is to do, on ports of its own."""
        ports = {"port": free_port(), "admin_port": free_port(), "origin_port": self.port_of(upstream)}
        return Work(**ports, upstream=upstream, identity=self.identity, **particulars)

    @cached_property
    def identity(self) -> Identity:
        """A certificate for this run: ECDSA with P-256, and its authority's behind it, as most sites have them."""
        identity = Identity(self.folder / "chain.pem", self.folder / "chain.key", self.folder / "both.pem")
        authority, authority_key = self.folder / "authority.pem", self.folder / "authority.key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        of_authority = ["-subj", "/CN=bench authority", "-addext", "keyUsage=critical,keyCertSign"]
        of_site = [
            "-subj", "/CN=bench.test", "-CA", authority, "-CAkey", authority_key,
            "-addext", "subjectAltName=DNS:bench.test,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
        ]  # fmt: skip
        for particulars in [
            [*of_authority, "-keyout", authority_key, "-out", authority],
            [*of_site, "-keyout", identity.key, "-out", identity.chain],
        ]:
            command = ["openssl", "req", "-x509", "-days", "7", *curve, *particulars]
            subprocess.run(command, check=True, capture_output=True)
        with identity.chain.open("ab") as chain:
            chain.write(authority.read_bytes())
        identity.both.write_bytes(identity.chain.read_bytes() + identity.key.read_bytes())
        return identity

    def start(self, gateway: Gateway, work: Work) -> "Running":
        return Running(gateway, work, self.folder / gateway.name)

    def own_cpu(self) -> float:
        """Seconds of CPU used so far by this program, the origin, and the loads that have ended."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        services = [self.origin, *(process for _, process in self.others.values())]
        origin = processes.cpu_time([service.pid for service in services])
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
            wait_until(lambda: answers(self.work), self.process)
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


def wait_until(ready: Callable[[], bool], process: subprocess.Popen) -> None:
    """Returns when what has been started is ready."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise GatewayFailed(f"ended with {process.returncode} instead of listening")
        if ready():
            return
        time.sleep(0.005)
    raise GatewayFailed(f"no right answer within {READY_WITHIN:.0f} s")


def answers(work: Work) -> bool:
    """Whether a gateway speaks what it is to speak."""
    match work.front:
        case Front.HTTP1:
            return status_and_generation(work.port, work.probe)[0] == 200
        case Front.TLS:
            # The certificate is verified, too.
            context = ssl.create_default_context(cafile=work.identity.chain)
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            return status_and_generation(work.port, work.probe, context)[0] == 200
        case Front.H2C:
            return speaks_h2(work.port)


def status_and_generation(port: int, path: str, tls: ssl.SSLContext | None = None) -> tuple[int, str | None]:
    """The status of a GET on a connection of its own, and the `x-generation` it came with; 0 if there is none."""
    if tls is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=tls)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        reply.read()
        return reply.status, reply.getheader("x-generation")
    except (OSError, http.client.HTTPException):
        return 0, None
    finally:
        connection.close()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def speaks_h2(port: int) -> bool:
    """Whether HTTP/2 in the clear is answered with settings."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(H2_PREFACE)
            head = connection.recv(9, socket.MSG_WAITALL)
            return head[3:4] == b"\x04"
    except OSError:
        return False

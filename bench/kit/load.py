"""Making load: wrk and h2load for figures, bench-check for correctness and for what those two cannot do."""

import json
import math
import os
import re
import subprocess
from dataclasses import dataclass

from gateways.gateway import Work
from kit.places import BENCH, built, installed
from kit.stage import LOAD_CORE, GatewayFailed


@dataclass(frozen=True)
class Sent:
    """What a load reports: counts, seconds, microseconds; NaN is what it does not know."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


class Load:
    """What is sent to a gateway."""

    def start(self, work: Work, seconds: int) -> subprocess.Popen:
        raise NotImplementedError

    def finish(self, process: subprocess.Popen) -> Sent:
        """Waits for the end. The report is one line of JSON, unless a subclass knows better."""
        output, complaints = process.communicate()
        line = next((line for line in output.splitlines() if line.startswith("{")), None)
        if line is None:
            raise RuntimeError(f"{process.args[3]} said nothing useful: {output}{complaints or ''}")
        return Sent(**json.loads(line))


@dataclass(frozen=True)
class Wrk(Load):
    """HTTP/1.1 on connections that stay open."""

    path: str
    connections: int
    script: str = "get.lua"
    arguments: tuple[str, ...] = ()

    def start(self, work: Work, seconds: int) -> subprocess.Popen:
        command = [
            *on_load_core("wrk"), "-t1", f"-c{self.connections}", f"-d{seconds}s",
            "-s", str(BENCH / "wrk" / self.script), f"{work.url}{self.path}", "--", *self.arguments,
        ]  # fmt: skip
        environment = os.environ | {"OPENSSL_CONF": str(BENCH / "wrk" / "openssl.cnf")}
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=BENCH / "wrk", env=environment)


@dataclass(frozen=True)
class H2Load(Load):
    """HTTP/2 on connections that stay open, with as many streams on each.

    It could log every request, which would give p50 and p99; but then it sends in smaller batches, and a request
    costs the gateway up to a quarter more.
    """

    path: str
    connections: int
    streams: int
    arguments: tuple[str, ...] = ()

    def start(self, work: Work, seconds: int) -> subprocess.Popen:
        command = [
            *on_load_core("h2load"), f"-c{self.connections}", f"-m{self.streams}", f"-D{seconds}",
            "--groups=X25519", "--tls13-ciphers=TLS_AES_128_GCM_SHA256", *self.arguments, f"{work.url}{self.path}",
        ]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, process: subprocess.Popen) -> Sent:
        output, _ = process.communicate()
        if not re.search(r"^Application protocol: h2c?$", output, re.MULTILINE):
            raise GatewayFailed(f"no HTTP/2: {output}")
        done, failed, unanswered, late = numbers(
            r"^requests: .* (\d+) done, .* (\d+) failed, (\d+) errored, (\d+) timeout", output
        )
        (good,) = numbers(r"^status codes: (\d+) 2xx", output)
        (seconds,) = numbers(r"^finished in ([\d.]+)s", output)
        # "failed" are both those without an answer and those with a status from 400.
        errors = max(int(failed), int(unanswered + late + done - good))
        return Sent(int(good), seconds, math.nan, math.nan, errors)


# One gRPC message of 64 bytes behind its five bytes of frame, as h2load sends it.
GRPC_CALL = ("-d", str(BENCH / "wrk" / "call.grpc"), "-Hcontent-type: application/grpc", "-Hte: trailers")


def check_call(work: Work) -> None:
    """A gRPC call that fails has the status 200 too: h2load would not see it."""
    check = start_check("call", "--target", work.address, stderr=subprocess.PIPE)
    _, complaints = check.communicate()
    if check.returncode != 0:
        raise GatewayFailed(complaints)


@dataclass(frozen=True)
class Messages(Load):
    """Messages over WebSocket, each sent when the echo of the one before is there; a request is a message."""

    connections: int

    def start(self, work: Work, seconds: int) -> subprocess.Popen:
        return start_check(
            "websocket", "--target", work.address, "--seconds", seconds, "--connections", self.connections
        )


@dataclass(frozen=True)
class Handshakes(Load):
    """TLS connections that are closed after one request, each with a full or with a resumed handshake."""

    connections: int
    resume: bool

    def start(self, work: Work, seconds: int) -> subprocess.Popen:
        options = ["--resume"] if self.resume else []
        return start_check(
            "handshakes", "--target", work.address, "--seconds", seconds, "--connections", self.connections, *options
        )


def numbers(pattern: str, text: str) -> tuple[float, ...]:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"h2load said nothing useful: {text}")
    return tuple(map(float, found.groups()))


def on_load_core(name: str) -> list[str]:
    program = installed(name)
    if program is None:
        raise SystemExit(f"bench/run: {name} not found; run bench/setup")
    return ["taskset", "-c", str(LOAD_CORE), str(program)]


def start_check(*arguments: object, **popen) -> subprocess.Popen:
    """Starts bench-check; its result is the JSON line it prints."""
    check = built("bench-check")
    if check is None:
        raise SystemExit("bench/run: bench-check is not built; run bench/setup")
    command = ["taskset", "-c", str(LOAD_CORE), str(check), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **popen)

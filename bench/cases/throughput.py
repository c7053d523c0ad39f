"""How much a request costs: a load in a closed loop, gateways in turn, several rounds, medians."""

import math
import statistics
import time
from dataclasses import dataclass, fields

from cases.pace import Outcome, Pace
from gateways.gateway import Front, Gateway, Scene, Upstream
from kit import machine, processes
from kit.load import GRPC_CALL, H2Load, Handshakes, Load, Messages, Wrk, check_call
from kit.stage import GatewayFailed, Running, Stage

YARDSTICKS = ["nginx", "haproxy"]
# Those that are configured for gRPC and WebSocket.
STREAMING = {name: Scene.PLAIN for name in ["menshen", "nginx", "haproxy", "envoy"]}


@dataclass(frozen=True)
class Figures:
    """What one round says about one gateway."""

    rate: float
    cpu: float
    user: float
    system: float
    core: float
    p50: float
    p99: float
    resident: float
    errors: float


class Throughput:
    """A case that is one load."""

    def __init__(
        self,
        name: str,
        about: str,
        load: Load,
        scenes: dict[str, Scene] | None = None,
        front: Front = Front.HTTP1,
        upstream: Upstream = Upstream.HTTP1,
    ):
        self.name, self.about, self.load, self.scenes = name, about, load, scenes
        self.front, self.upstream = front, upstream

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        taking_part = [gateway for gateway in gateways if not self.scenes or gateway.name in self.scenes]
        measured: dict[str, list[Figures]] = {gateway.name: [] for gateway in taking_part}
        failures: dict[str, str] = {}
        ticks, own = machine.ticks(), stage.own_cpu()
        for _ in range(pace.rounds):
            for gateway in taking_part:
                if gateway.name in failures:
                    continue
                try:
                    measured[gateway.name].append(self.round(stage, gateway, pace))
                except GatewayFailed as failure:
                    failures[gateway.name] = str(failure)
        outcome = summary({name: rounds for name, rounds in measured.items() if rounds})
        disturbance = disturbed(machine.ticks() - ticks, stage.own_cpu() - own)
        outcome.remarks = [f"{pace.rounds} rounds of {pace.seconds} s, medians. {disturbance}", *failures.values()]
        return outcome

    def round(self, stage: Stage, gateway: Gateway, pace: Pace) -> Figures:
        scene = (self.scenes or {}).get(gateway.name, Scene.PLAIN)
        with stage.start(gateway, stage.work(self.upstream, scene=scene, front=self.front)) as running:
            if self.upstream is Upstream.GRPC:
                check_call(running.work)
            self.load.finish(self.load.start(running.work, pace.warm_up))
            return measure(running, self.load, pace.seconds)


def measure(running: Running, load: Load, seconds: int) -> Figures:
    """One load against a gateway that has been warmed up."""
    pids = running.pids()
    before = processes.cpu_time(pids)
    process = load.start(running.work, seconds)
    # While the connections are there and well before the end.
    time.sleep(seconds * 0.7)
    resident = processes.resident_kib(pids) / 1024
    sent = load.finish(process)
    used = processes.cpu_time(pids) - before
    requests = max(sent.requests, 1)
    return Figures(
        rate=sent.requests / sent.seconds,
        cpu=used.total / requests * 1e6,
        user=used.user / requests * 1e6,
        system=used.system / requests * 1e6,
        core=used.total / sent.seconds,
        p50=sent.p50,
        p99=sent.p99,
        resident=resident,
        errors=sent.errors,
    )


def disturbed(ticks: machine.Ticks, own_cpu: float) -> str:
    """How much of the machine was used by others. The gateways have ended and count as children."""
    others = max(0.0, ticks.busy - own_cpu * processes.TICKS_PER_SECOND) / ticks.total
    stolen = ticks.stolen / ticks.total
    verdict = "" if others + stolen < 0.1 else " **The machine was not quiet: do not quote these figures.**"
    return f"Other programs used {others:.0%} of the machine, the hypervisor took {stolen:.1%}.{verdict}"


def median(rounds: list[Figures]) -> Figures:
    """The median of each figure for itself; errors are added up."""
    middle = {each.name: statistics.median(getattr(one, each.name) for one in rounds) for each in fields(Figures)}
    return Figures(**(middle | {"errors": sum(one.errors for one in rounds)}))


def summary(measured: dict[str, list[Figures]]) -> Outcome:
    medians = {name: median(rounds) for name, rounds in measured.items()}
    yardsticks = [name for name in YARDSTICKS if name in medians]
    header = [
        "gateway", "req/s", "CPU µs/req", "range", "user", "system", "core", "p50 µs", "p99 µs", "RSS MiB", "errors",
        *(f"CPU ÷ {name}" for name in yardsticks), *(f"req/s ÷ {name}" for name in yardsticks),
    ]  # fmt: skip
    rows = []
    for name, one in medians.items():
        costs = [each.cpu for each in measured[name]]
        rows.append([
            name, f"{one.rate:,.0f}", f"{one.cpu:.1f}", f"{min(costs):.1f}–{max(costs):.1f}", f"{one.user:.1f}",
            f"{one.system:.1f}", f"{one.core:.0%}", known(one.p50), known(one.p99), f"{one.resident:.1f}",
            f"{one.errors:.0f}",
            *(f"{one.cpu / medians[other].cpu:.2f}" for other in yardsticks),
            *(f"{one.rate / medians[other].rate:.2f}" for other in yardsticks),
        ])  # fmt: skip
    return Outcome(header, rows)


def known(figure: float) -> str:
    return "–" if math.isnan(figure) else f"{figure:,.0f}"


THROUGHPUT = [
    Throughput("small-64", "GET, 128-byte replies, 64 keep-alive connections.", Wrk("/s", 64)),
    Throughput("small-1000", "GET, 128-byte replies, 1,000 keep-alive connections.", Wrk("/s", 1000)),
    Throughput(
        "small-64-features",
        "Like small-64, but Menshen with its access log written to a file, its metrics and five plain filters "
        "(request-id, headers, body-limit, ip-deny, secure-headers); nginx and HAProxy as plain proxies.",
        Wrk("/s", 64),
        {"menshen": Scene.FEATURES, "nginx": Scene.PLAIN, "haproxy": Scene.PLAIN},
    ),
    Throughput("16k", "GET, 16 KiB replies, 64 keep-alive connections.", Wrk("/16k", 64)),
    Throughput("256k", "GET, 256 KiB replies, 64 keep-alive connections.", Wrk("/256k", 64)),
    Throughput("post-64k", "POST of 64 KiB, 64 keep-alive connections.", Wrk("/s", 64, "post.lua")),
    Throughput(
        "tls-h1",
        "GET, 128-byte replies, 64 keep-alive connections over TLS 1.3.",
        Wrk("/s", 64),
        front=Front.TLS,
    ),
    Throughput(
        "tls-h2",
        "GET, 128-byte replies, 8 HTTP/2 connections over TLS 1.3 with 16 streams each.",
        H2Load("/s", 8, 16),
        front=Front.TLS,
    ),
    Throughput(
        "h2c",
        "GET, 128-byte replies, 8 HTTP/2 connections without TLS with 16 streams each.",
        H2Load("/s", 8, 16),
        front=Front.H2C,
    ),
    Throughput(
        "grpc-unary",
        "gRPC: unary calls with 64-byte messages, 8 HTTP/2 connections without TLS with 16 streams each, HTTP/2 to "
        "the service.",
        H2Load("/bench.Echo/Call", 8, 16, GRPC_CALL),
        STREAMING,
        Front.H2C,
        Upstream.GRPC,
    ),
    Throughput(
        "websocket",
        "WebSocket: 125-byte messages and their echoes over 64 connections; a request is a message and its echo.",
        Messages(64),
        STREAMING,
        upstream=Upstream.WEBSOCKET,
    ),
    Throughput(
        "tls-handshakes",
        "New TLS 1.3 connections with a full handshake, 16 at once, one GET with `Connection: close` on each.",
        Handshakes(16, resume=False),
        front=Front.TLS,
    ),
    Throughput(
        "tls-resumptions",
        "Like tls-handshakes, but each connection resumes the session of the one before it.",
        Handshakes(16, resume=True),
        front=Front.TLS,
    ),
]

"""What others notice of an offender: two well-behaved clients, and one that is not."""

import json
import os
import statistics
import time
from dataclasses import dataclass

from cases.pace import Outcome, Pace
from gateways.gateway import Gateway
from kit import processes
from kit.load import Load, Sent, start_check
from kit.stage import GatewayFailed, Running, Stage

FLOODS = [
    "rapid-reset", "made-you-reset", "continuation", "pings", "settings", "table-flips", "unknown-frames", "empty-data",
    "priorities", "window-updates", "hpack-bomb",
]  # fmt: skip
SLOW = ["crumbs", "slow-uploads", "tiny-windows", "slowloris", "slow-read"]
# They speak both versions of HTTP on one port without TLS.
TAKING_PART = ["menshen", "haproxy"]
# What is promised: the p99 of others at most so many times what it was, memory for a byte that was received, and
# floods cut off within so many seconds or frames.
MOST_SLOWER, MOST_MEMORY, CUT_WITHIN, CUT_FRAMES = 3.0, 20.0, 1.0, 10_000
# More would take too long.
ROUNDS = 3
# What connections may take whatever they do, KiB: all together, and each that is open at once.
ANY_GROWTH, EACH_GROWTH = 1024, 16


@dataclass(frozen=True)
class Others:
    """What well-behaved clients saw: those of HTTP/1.1 and of HTTP/2."""

    http1: Sent
    h2: Sent

    @property
    def failed(self) -> int:
        return self.http1.errors + self.h2.errors


class Attack:
    name = "attack"
    about = (
        "Two well-behaved clients, one with HTTP/1.1 and one with HTTP/2, each with 200 small requests per second, "
        "while an offender does its worst and comes back whenever it is cut off. Latencies count from when a request "
        "was due."
    )

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        header = [
            "gateway", "attack", "p50 h1 µs", "p99 h1 µs", "÷ calm", "p50 h2 µs", "p99 h2 µs", "÷ calm", "failed", "MiB sent",
            "growth MiB", "bytes/byte", "cut off after", "frames", "at once", "kept",
        ]  # fmt: skip
        outcome = Outcome(header)
        for gateway in (gateway for gateway in gateways if gateway.name in TAKING_PART):
            try:
                self.measure(stage, gateway, pace, outcome)
            except GatewayFailed as failure:
                outcome.remarks.append(str(failure))
        outcome.remarks.append(
            f"{rounds(pace)} rounds of {pace.seconds} s, medians; what is calm was measured before each attack."
        )
        outcome.remarks.append(
            f"Promised: p99 at most {MOST_SLOWER:.0f} times that without an attack, no failure, at most "
            f"{MOST_MEMORY:.0f} bytes of memory for a byte received (or {ANY_GROWTH // 1024} MiB, and {EACH_GROWTH} KiB "
            f"for each connection open at once), floods cut off within {CUT_WITHIN:.0f} s or {CUT_FRAMES:,} frames. "
            "`kept` says whether it was so."
        )
        return outcome

    def measure(self, stage: Stage, gateway: Gateway, pace: Pace, outcome: Outcome) -> None:
        """Each round has all attacks, each on a gateway of its own, so that memory is this attack's alone."""
        calms, under = [], {attack: [] for attack in [*FLOODS, *SLOW]}
        for _ in range(rounds(pace)):
            for attack, seen in under.items():
                with stage.start(gateway, stage.work()) as running:
                    finish(others(running, pace.warm_up))
                    calms.append(finish(others(running, pace.seconds)))
                    seen.append(suffer(running, attack, pace.seconds))
        calm = Latencies.of(calms)
        outcome.rows.append([gateway.name, "none", *calm.against(calm), f"{sum(others.failed for others in calms)}", *["–"] * 7])
        outcome.rows.extend([gateway.name, *row(attack, seen, calm)] for attack, seen in under.items())


def rounds(pace: Pace) -> int:
    return min(pace.rounds, ROUNDS)


@dataclass(frozen=True)
class Latencies:
    """Medians over rounds, in microseconds: p50 and p99 of the client of HTTP/1.1, then of that of HTTP/2."""

    figures: tuple[float, float, float, float]

    @staticmethod
    def of(rounds: list[Others]) -> "Latencies":
        each = [(o.http1.p50, o.http1.p99, o.h2.p50, o.h2.p99) for o in rounds]
        return Latencies(tuple(map(statistics.median, zip(*each))))

    def slower(self, calm: "Latencies") -> tuple[float, float]:
        """How many times the p99 is that of calm."""
        return self.figures[1] / calm.figures[1], self.figures[3] / calm.figures[3]

    def against(self, calm: "Latencies") -> list[str]:
        p50_1, p99_1, p50_2, p99_2 = (f"{figure:,.0f}" for figure in self.figures)
        slower_1, slower_2 = (f"{ratio:.2f}" for ratio in self.slower(calm))
        return [p50_1, p99_1, slower_1, p50_2, p99_2, slower_2]


@dataclass(frozen=True)
class Suffered:
    """One attack: what others saw meanwhile, what the offender told, and bytes that the gateway held more than before."""

    meanwhile: Others
    told: dict
    growth: int


def suffer(running: Running, attack: str, seconds: int) -> Suffered:
    pids = running.pids()
    before = processes.held_kib(pids)
    waiting = others(running, seconds)
    # It may use what the others leave of the core: they are the ones that are measured.
    offender = start_check(
        "attack", "--target", running.work.address, "--kind", attack, "--seconds", seconds,
        preexec_fn=lambda: os.nice(19),
    )  # fmt: skip
    most = before
    while offender.poll() is None:
        most = max(most, processes.held_kib(pids))
        time.sleep(0.05)
    told = json.loads(offender.communicate()[0])
    return Suffered(finish(waiting), told, (most - before) * 1024)


def row(attack: str, rounds: list[Suffered], calm: Latencies) -> list[str]:
    latencies = Latencies.of([one.meanwhile for one in rounds])
    failed = sum(one.meanwhile.failed for one in rounds)
    growth = statistics.median(one.growth for one in rounds)
    sent = statistics.median(one.told["bytes"] for one in rounds)
    # What was the worst counts: an offender that is not cut off once is not cut off.
    cuts = [one.told["closed_after"] for one in rounds]
    cut = None if None in cuts else max(cuts)
    frames, at_once = max(one.told["frames"] for one in rounds), rounds[0].told["at_once"]
    ratio = growth / max(sent, 1)
    is_kept = [
        max(latencies.slower(calm)) <= MOST_SLOWER,
        failed == 0,
        ratio <= MOST_MEMORY or growth <= (ANY_GROWTH + EACH_GROWTH * at_once) * 1024,
        attack not in FLOODS or (cut is not None and (cut <= CUT_WITHIN or frames <= CUT_FRAMES)),
    ]
    return [
        attack, *latencies.against(calm), f"{failed}", f"{sent / 2**20:.2f}", f"{growth / 2**20:.2f}", f"{ratio:.1f}",
        "never" if cut is None else f"{cut * 1000:,.0f} ms", f"{frames:,}", f"{at_once}",
        "yes" if all(is_kept) else "**no**",
    ]  # fmt: skip


def others(running: Running, seconds: int) -> list:
    """Starts the well-behaved clients."""
    return [
        start_check("steady", "--target", running.work.address, "--protocol", protocol, "--seconds", seconds)
        for protocol in ["http/1.1", "h2"]
    ]


def finish(clients: list) -> Others:
    return Others(*(Load().finish(client) for client in clients))

"""What others notice of an offender: two well-behaved clients, and one that is not."""

import json
import os
import time
from dataclasses import dataclass

from cases.pace import Outcome, Pace
from gateways.gateway import Gateway
from kit import processes
from kit.load import Load, Sent, start_check
from kit.stage import GatewayFailed, Running, Stage

FLOODS = [
    "rapid-reset", "continuation", "pings", "settings", "empty-data", "priorities", "window-updates", "hpack-bomb",
]  # fmt: skip
SLOW = ["tiny-windows", "slowloris", "slow-read"]
# Only Menshen speaks both versions of HTTP on a port without TLS.
TAKING_PART = ["menshen"]
# What is promised: the p99 of others at most so many times what it was, memory for a byte that was received, and
# floods cut off within so many seconds or frames.
MOST_SLOWER, MOST_MEMORY, CUT_WITHIN, CUT_FRAMES = 3.0, 20.0, 1.0, 10_000
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
            "attack", "p50 h1 µs", "p99 h1 µs", "÷ calm", "p50 h2 µs", "p99 h2 µs", "÷ calm", "failed", "MiB sent",
            "growth MiB", "bytes/byte", "cut off after", "frames", "kept",
        ]  # fmt: skip
        outcome = Outcome(header)
        for gateway in (gateway for gateway in gateways if gateway.name in TAKING_PART):
            try:
                self.measure(stage, gateway, pace, outcome)
            except GatewayFailed as failure:
                outcome.remarks.append(str(failure))
        outcome.remarks.append(
            f"Promised: p99 at most {MOST_SLOWER:.0f} times that without an attack, no failure, at most "
            f"{MOST_MEMORY:.0f} bytes of memory for a byte received (or {ANY_GROWTH // 1024} MiB, and {EACH_GROWTH} KiB "
            f"for each connection open at once), floods cut off within {CUT_WITHIN:.0f} s or {CUT_FRAMES:,} frames. "
            "`kept` says whether it was so."
        )
        return outcome

    def measure(self, stage: Stage, gateway: Gateway, pace: Pace, outcome: Outcome) -> None:
        with stage.start(gateway, stage.work()) as running:
            finish(others(running, pace.warm_up))
            calm = finish(others(running, pace.seconds))
            outcome.rows.append(["none", *seen(calm, calm), f"{calm.failed}", *["–"] * 6])
        for attack in [*FLOODS, *SLOW]:
            # Afresh, so that memory is this attack's alone.
            with stage.start(gateway, stage.work()) as running:
                finish(others(running, pace.warm_up))
                outcome.rows.append(under(running, attack, calm, pace.seconds))


def under(running: Running, attack: str, calm: Others, seconds: int) -> list[str]:
    """One attack, as a row."""
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
    meanwhile = finish(waiting)
    growth = (most - before) * 1024
    ratio = growth / max(told["bytes"], 1)
    cut = told["closed_after"]
    slower = max(meanwhile.http1.p99 / calm.http1.p99, meanwhile.h2.p99 / calm.h2.p99)
    is_kept = [
        slower <= MOST_SLOWER,
        meanwhile.failed == 0,
        ratio <= MOST_MEMORY or growth <= (ANY_GROWTH + EACH_GROWTH * told["at_once"]) * 1024,
        attack not in FLOODS or (cut is not None and (cut <= CUT_WITHIN or told["frames"] <= CUT_FRAMES)),
    ]
    return [
        attack, *seen(meanwhile, calm), f"{meanwhile.failed}", f"{told['bytes'] / 2**20:.2f}", f"{growth / 2**20:.2f}",
        f"{ratio:.1f}", "never" if cut is None else f"{cut * 1000:,.0f} ms", f"{told['frames']:,}",
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


def seen(now: Others, calm: Others) -> list[str]:
    figures = []
    for one, before in [(now.http1, calm.http1), (now.h2, calm.h2)]:
        figures += [f"{one.p50:,.0f}", f"{one.p99:,.0f}", f"{one.p99 / before.p99:.2f}"]
    return figures

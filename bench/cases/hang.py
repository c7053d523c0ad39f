"""One service hangs: what the clients of another notice."""

import statistics
from contextlib import ExitStack

from cases.pace import Outcome, Pace
from gateways.gateway import Gateway, Scene
from kit import processes
from kit.load import Load, Sent, start_check
from kit.stage import GatewayFailed, Stage, free_port, listens, wait_until

# Requests under way at the service that hangs, each of which is given up after a second and made again.
HANGING = 500
# Requests per second of the client that is measured.
RATE = 1_000
# What is promised: the p99 of others at most so many times what it was.
MOST_SLOWER = 1.2


class Hang:
    name = "hang"
    about = (
        f"GET at {RATE:,} requests per second over one connection, first alone, then beside {HANGING} connections whose "
        "requests go to a service that never answers and are given up after a second. Latencies count from when a request "
        "was due."
    )

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        outcome = Outcome([
            "gateway", "p50 µs", "p99 µs", "p50 beside it µs", "p99 beside it µs", "p99 ÷ alone", "failed", "given up after ms", "p99 ms",
        ])  # fmt: skip
        with ExitStack() as ends:
            port = free_port()
            service = stage.service("bench-origin", [], port, "hanging.log")
            ends.callback(processes.end, service)
            wait_until(lambda: listens(port), service)
            for gateway in (gateway for gateway in gateways if Scene.HANG in gateway.scenes):
                try:
                    rounds = [measure(stage, gateway, port, pace) for _ in range(pace.rounds)]
                except GatewayFailed as failure:
                    outcome.remarks.append(str(failure))
                    continue
                outcome.rows.append(row(gateway, rounds))
        outcome.remarks.append(
            f"{pace.rounds} rounds of {pace.seconds} s, medians; of the ratio too. Promised: at most {MOST_SLOWER}."
        )
        return outcome


def measure(stage: Stage, gateway: Gateway, port: int, pace: Pace) -> tuple[Sent, Sent, Sent]:
    """What the client saw alone and beside those who wait, and what became of them."""
    work = stage.work(scene=Scene.HANG, hanging_port=port)
    with stage.start(gateway, work) as running:
        steady(running.work.address, pace.warm_up)
        alone = steady(running.work.address, pace.seconds)
        # Those who wait come before, and stay until after.
        others = start_check(
            "waiting", "--target", running.work.address, "--path", "/delay/600000", "--connections", HANGING,
            "--seconds", 2 * pace.warm_up + pace.seconds + 1,
        )  # fmt: skip
        steady(running.work.address, 2 * pace.warm_up)
        beside = steady(running.work.address, pace.seconds)
        return alone, beside, Load().finish(others)


def steady(address: str, seconds: int) -> Sent:
    check = start_check("steady", "--target", address, "--protocol", "http/1.1", "--seconds", seconds, "--rate", RATE)
    return Load().finish(check)


def row(gateway: Gateway, rounds: list[tuple[Sent, Sent, Sent]]) -> list[str]:
    def median(figure) -> float:
        return statistics.median(figure(*sent) for sent in rounds)

    return [
        gateway.name,
        f"{median(lambda alone, *_: alone.p50):,.0f}",
        f"{median(lambda alone, *_: alone.p99):,.0f}",
        f"{median(lambda _, beside, __: beside.p50):,.0f}",
        f"{median(lambda _, beside, __: beside.p99):,.0f}",
        f"{median(lambda alone, beside, _: beside.p99 / alone.p99):.2f}",
        str(sum(one.errors for sent in rounds for one in sent)),
        f"{median(lambda *sent: sent[2].p50) / 1000:,.0f}",
        f"{median(lambda *sent: sent[2].p99) / 1000:,.0f}",
    ]

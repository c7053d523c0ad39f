"""One of five endpoints is ten times slower: what the slowest requests pay for it, by method."""

import statistics
from contextlib import ExitStack

from cases.pace import Outcome, Pace
from gateways.gateway import Gateway, Method, Scene
from kit import processes
from kit.load import Sent, Wrk
from kit.stage import GatewayFailed, Stage, free_port, listens, wait_until

# Microseconds that each endpoint needs for a request; it does one after the other, as a busy program does.
TAKES = [1_000, 1_000, 1_000, 1_000, 10_000]
CONNECTIONS = 32


class SlowEndpoint:
    name = "slow-endpoint"
    about = (
        f"GET, {CONNECTIONS} keep-alive connections, five endpoints that do one request after the other: four need 1 ms, "
        "one needs 10 ms."
    )

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        outcome = Outcome(["gateway", "method", "req/s", "p50 ms", "p99 ms", "p99 ÷ round robin", "errors"])
        with ExitStack() as ends:
            ports = tuple(endpoint(stage, takes, ends) for takes in TAKES)
            for gateway in gateways:
                if Scene.BALANCE not in gateway.scenes:
                    continue
                round_robin = None
                for method in gateway.methods:
                    try:
                        rounds = [measure(stage, gateway, ports, method, pace) for _ in range(pace.rounds)]
                    except GatewayFailed as failure:
                        outcome.remarks.append(str(failure))
                        break
                    p99 = statistics.median(sent.p99 for sent in rounds)
                    round_robin = round_robin or p99
                    outcome.rows.append([
                        gateway.name, gateway.methods[method],
                        f"{statistics.median(sent.requests / sent.seconds for sent in rounds):,.0f}",
                        f"{statistics.median(sent.p50 for sent in rounds) / 1000:.1f}", f"{p99 / 1000:.1f}",
                        f"{p99 / round_robin:.2f}", str(sum(sent.errors for sent in rounds)),
                    ])  # fmt: skip
        outcome.remarks.append(f"{pace.rounds} rounds of {pace.seconds} s, medians.")
        return outcome


def endpoint(stage: Stage, takes: int, ends: ExitStack) -> int:
    """A service that needs so long for each request."""
    port = free_port()
    process = stage.service("bench-origin", [str(takes)], port, f"endpoint-{port}.log")
    ends.callback(processes.end, process)
    wait_until(lambda: listens(port), process)
    return port


def measure(stage: Stage, gateway: Gateway, ports: tuple[int, ...], method: Method, pace: Pace) -> Sent:
    work = stage.work(scene=Scene.BALANCE, endpoint_ports=ports, method=method)
    load = Wrk("/s", CONNECTIONS)
    with stage.start(gateway, work) as running:
        load.finish(load.start(running.work, pace.warm_up))
        return load.finish(load.start(running.work, pace.seconds))

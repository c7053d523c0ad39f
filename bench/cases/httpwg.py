"""httpwg: the rules of RFC 9113 for servers, case by case, again and again on one gateway."""

import re
import statistics
import subprocess
from pathlib import Path

from cases.pace import Outcome, Pace
from gateways.gateway import Front, Gateway
from kit.load import on_load_core
from kit.places import TOOLS, installed
from kit.stage import GatewayFailed, Stage

# It gives each frame 250 ms.
WITHIN = 120.0


class Httpwg:
    name = "httpwg"
    about = (
        "httpwg-cli, 107 cases of RFC 9113 all at once against one gateway that keeps running: how many pass, and whether the "
        "last run is like the first."
    )

    def run(self, stage: Stage, gateways: list[Gateway], pace: Pace) -> Outcome:
        outcome = Outcome(["gateway", "runs", "all pass", "first", "last", "fewest", "median s", "last s"])
        suite = executable()
        if suite is None:
            outcome.remarks.append("httpwg is not installed: bench/setup does it.")
            return outcome
        for gateway in gateways:
            try:
                with stage.start(gateway, stage.work(front=Front.H2C)) as running:
                    runs = [once(suite, running.work.address) for _ in range(pace.conformance)]
            except GatewayFailed as failure:
                outcome.remarks.append(str(failure))
                continue
            outcome.rows.append([
                gateway.name, f"{len(runs)}", f"{sum(run.is_whole for run in runs)}", runs[0].text, runs[-1].text,
                min(runs, key=lambda run: run.passed).text, f"{statistics.median(run.seconds for run in runs):.2f}",
                f"{runs[-1].seconds:.2f}",
            ])  # fmt: skip
        return outcome


class Run:
    """What one run of the suite told."""

    def __init__(self, said: str):
        told = re.search(r"Passed (\d+)/(\d+) tests in ([\d.]+) seconds", re.sub(r"\x1b\[[\d;]*m", "", said))
        if told is None:
            raise GatewayFailed(f"httpwg said nothing useful: {said[-500:]}")
        self.passed, self.all, self.seconds = int(told[1]), int(told[2]), float(told[3])

    @property
    def is_whole(self) -> bool:
        return self.passed == self.all

    @property
    def text(self) -> str:
        return f"{self.passed}/{self.all}"


def once(suite: Path, address: str) -> Run:
    command = [*on_load_core(str(suite)), "--address", address]
    said = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN, env={"RUST_LOG": "error"})
    return Run(said.stdout + said.stderr)


def executable() -> Path | None:
    packaged = TOOLS / "httpwg" / "bin" / "httpwg"
    return packaged if packaged.is_file() else installed("httpwg")

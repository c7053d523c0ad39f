"""Making load: wrk for figures, bench-check for correctness."""

import json
import subprocess
from dataclasses import dataclass

from kit.places import BENCH, built, installed
from kit.stage import LOAD_CORE


@dataclass(frozen=True)
class Load:
    """What wrk is to do."""

    path: str
    connections: int
    script: str = "get.lua"
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """What wrk reports: counts, seconds, microseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


def start_wrk(load: Load, port: int, seconds: int) -> subprocess.Popen:
    wrk = installed("wrk")
    if wrk is None:
        raise SystemExit("bench/run: wrk not found; run bench/setup")
    command = [
        "taskset", "-c", str(LOAD_CORE), str(wrk), "-t1", f"-c{load.connections}", f"-d{seconds}s",
        "-s", str(BENCH / "wrk" / load.script), f"http://127.0.0.1:{port}{load.path}", "--", *load.arguments,
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=BENCH / "wrk")


def finish_wrk(process: subprocess.Popen) -> Sent:
    output, complaints = process.communicate()
    line = next((line for line in output.splitlines() if line.startswith("{")), None)
    if line is None:
        raise RuntimeError(f"wrk said nothing useful: {output}{complaints}")
    return Sent(**json.loads(line))


def start_check(*arguments: object, **popen) -> subprocess.Popen:
    """Starts bench-check; its result is the JSON line it prints."""
    check = built("bench-check")
    if check is None:
        raise SystemExit("bench/run: bench-check is not built; run bench/setup")
    command = ["taskset", "-c", str(LOAD_CORE), str(check), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **popen)

"""Starting processes on a core, and reading what they cost from /proc."""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTime:
    """Seconds of CPU."""

    user: float = 0.0
    system: float = 0.0

    def __add__(self, other: "CpuTime") -> "CpuTime":
        return CpuTime(self.user + other.user, self.system + other.system)

    def __sub__(self, other: "CpuTime") -> "CpuTime":
        return CpuTime(self.user - other.user, self.system - other.system)

    @property
    def total(self) -> float:
        return self.user + self.system


def start_on_core(core: int, command: list, log: Path, environment: dict | None = None, **popen) -> subprocess.Popen:
    """Starts a command that can run on this core only, in a process group of its own."""
    pinned = ["taskset", "-c", str(core), *map(str, command)]
    with log.open("ab") as output:
        popen = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output} | popen
        return subprocess.Popen(pinned, env=os.environ | (environment or {}), start_new_session=True, **popen)


def end(process: subprocess.Popen) -> None:
    """Ends a process and all of its group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := stat_fields(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, [])
    return found


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name: state, parent and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu_time(pids: list[int]) -> CpuTime:
    """What these processes have used so far."""
    total = CpuTime()
    for pid in pids:
        if stat := stat_fields(pid):
            total += CpuTime(int(stat[11]) / TICKS_PER_SECOND, int(stat[12]) / TICKS_PER_SECOND)
    return total


def resident_kib(pids: list[int]) -> int:
    """Resident memory of these processes; a page that several of them share counts once."""
    return proportional_kib(pids, "Pss")


def held_kib(pids: list[int]) -> int:
    """What of that they have made themselves: without the pages of programs, of which each comes when it first runs."""
    return proportional_kib(pids, "Pss_Anon")


def proportional_kib(pids: list[int], kind: str) -> int:
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith(f"{kind}:")), 0)
    return total

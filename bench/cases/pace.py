"""How long and how often things are measured, and what a case hands back."""

from dataclasses import dataclass, field

from kit.table import table


@dataclass(frozen=True)
class Pace:
    rounds: int
    seconds: int
    warm_up: int
    reloads: int
    reload_seconds: int
    stops: int
    conformance: int
    most_routes: int


FULL = Pace(rounds=5, seconds=5, warm_up=1, reloads=200, reload_seconds=60, stops=5, conformance=50, most_routes=100_000)
QUICK = Pace(rounds=2, seconds=2, warm_up=1, reloads=20, reload_seconds=6, stops=1, conformance=5, most_routes=1_000)


@dataclass
class Outcome:
    """A table with the remarks that belong to it."""

    header: list[str]
    rows: list[list[str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def text(self) -> str:
        remarks = [f"\n{remark}" for remark in self.remarks]
        return "\n".join([table(self.header, self.rows), *remarks])

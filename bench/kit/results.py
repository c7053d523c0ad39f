"""bench/RESULTS.md: one section for each case, replaced when the case is run again with --save."""

import re

from kit.places import BENCH

FILE = BENCH / "RESULTS.md"
INTRODUCTION = """\
# Results

Written by `bench/run --save`; what the columns mean and how it is measured is in [README.md](README.md).
"""


def save(case, outcome, machine: str, command: str) -> None:
    sections = read()
    sections[case.name] = (
        f"## {case.name}\n\n{case.about}\n\n{outcome.text()}\n\n{machine}\n- reproduce: `{reproduce(case, command)}`\n"
    )
    FILE.write_text("\n".join([INTRODUCTION, *sections.values()]))


def read() -> dict[str, str]:
    """The sections so far, by case."""
    if not FILE.exists():
        return {}
    parts = re.split(r"^(?=## )", FILE.read_text(), flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].removeprefix("## "): part.rstrip() + "\n" for part in parts}


def reproduce(case, command: str) -> str:
    """The command line for this case alone."""
    others = re.sub(r"\s--case[ =]\S+", "", command)
    return others.replace("bench/run", f"bench/run --case {case.name}", 1).strip()

"""A table that reads well in a terminal and is Markdown at the same time."""


def table(header: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [line(header, widths), "|" + "|".join(rule(width, column) for column, width in enumerate(widths)) + "|"]
    return "\n".join(lines + [line(row, widths) for row in rows])


def line(cells: list[str], widths: list[int]) -> str:
    """The first column to the left, figures to the right."""
    first = cells[0].ljust(widths[0])
    others = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))
    return "| " + " | ".join([first, *others]) + " |"


def rule(width: int, column: int) -> str:
    return "-" * (width + 2) if column == 0 else "-" * (width + 1) + ":"

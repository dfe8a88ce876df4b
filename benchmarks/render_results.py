"""Write docs/results.md from the records in docs/results/*.json.

python benchmarks/render_results.py [--check]
"""

import argparse
import sys
from pathlib import Path

from parts.records import is_met, read_records

DOCS = Path(__file__).resolve().parent.parent / "docs"
HEADING = """# Results

Every result with the command that made it, from the records in `results/`.
Generated: `python benchmarks/render_results.py`.
"""
COLUMNS = ("name", "mean ± sd", "n", "goal", "met", "minutes", "command", "note")
MET = {True: "yes", False: "**no**", None: ""}


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of results/ and results.md")
    settings = parser.parse_args(arguments)
    page = settings.docs / "results.md"
    try:
        text = render(settings.docs / "results")
    except ValueError as error:
        return _complain(error)
    if not settings.check:
        page.write_text(text, encoding="utf-8")
        return 0
    if not page.is_file() or page.read_text(encoding="utf-8") != text:
        return _complain(
            "docs/results.md is not what the records give. Run: python benchmarks/render_results.py"
        )
    return 0


def render(folder: Path) -> str:
    """The page: one table for each file of records."""
    tables = [table(path.stem, read_records(path)) for path in sorted(folder.glob("*.json"))]
    return "\n".join([HEADING, *tables])


def table(title: str, records: dict) -> str:
    """A heading and a Markdown table of records, sorted by name."""
    rows = [COLUMNS, tuple("---:" if name in ("n", "minutes") else "---" for name in COLUMNS)]
    rows += [row(name, record) for name, record in sorted(records.items())]
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join([f"## {title.replace('_', ' ').capitalize()}", "", *lines, ""])


def row(name, record):
    spread = f" ± {number(record['sd'], 2)}" if record["n"] > 1 else ""
    return (
        f"`{name}`",
        number(record["mean"]) + spread,
        str(record["n"]),
        record["goal"],
        MET[is_met(record)],
        number(record["minutes"], 2),
        f"`{_in_cell(record['command'])}`",
        _in_cell(record["note"]),
    )


def number(value, digits=4) -> str:
    """`digits` significant digits, without trailing zeros: 1.9, 0.01307, 15,230."""
    text = f"{value:,.{digits}g}"
    return f"{value:,.0f}" if "e+" in text else text


def _in_cell(text):
    return text.replace("|", "\\|")


def _complain(message):
    print(f"render_results: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

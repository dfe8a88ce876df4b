"""Lines of the package that the tests execute: a record, and the modules in which many are left out.

    python tools/coverage_table.py .coverage.json MINUTES

`.coverage.json` is the report of coverage.py, which `make coverage` writes in so many minutes. The share of
all lines goes to `docs/results/coverage.json`. A module with more than 5 % of its lines left out must be
among `EXPLAINED`.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_LEFT_OUT = 0.05
AUTOGRAPH = "AutoGraph runs a rewritten copy of what a tf.function calls"
EXPLAINED = {
    "keras_ae/quiet.py": "runs before the measurement begins, and in a process that it starts by fork",
    "keras_ae/evaluation/pairs/_training.py": AUTOGRAPH,
    "keras_ae/layers/text/gru_step.py": "Keras asks for the shape only if the step is called symbolically",
    "training/datasets/speech/_audio_reading.py": "tensorflow-io, which the lane of TensorFlow 2.16 has",
    "training/recipes/recipe.py": "methods that every recipe overrides",
    "training/run_directory/lock.py": "Windows, and file systems without locks",
    "export/verification_process.py": "an isolated process, which no measurement enters",
}


def left_out(report: dict) -> dict[str, tuple[float, list[int]]]:
    """Return `{module: (share of its lines that no test executes, these lines)}`, the largest share first."""
    found = {}
    for name, file in report["files"].items():
        summary = file["summary"]
        if summary["num_statements"]:
            share = summary["missing_lines"] / summary["num_statements"]
            found[Path(name).as_posix()] = (share, file["missing_lines"])
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def main(path: str, minutes: str) -> int:
    """Write the record, print the modules with gaps, and return 1 if one of them is not explained."""
    report = json.loads(Path(path).read_text())
    totals = report["totals"]
    share = totals["covered_lines"] / totals["num_statements"]
    record = {"mean": round(share, 4), "sd": 0.0, "n": 1, "goal": ">= 0.95", "command": "make coverage"}
    note = f"{totals['num_statements']} lines; Python {sys.version_info.major}.{sys.version_info.minor}"
    record = {"coverage.lines": {**record, "minutes": float(minutes), "note": note}}
    (ROOT / "docs" / "results" / "coverage.json").write_text(json.dumps(record, indent=2) + "\n")
    print(f"{share:.1%} of {totals['num_statements']} lines")
    unexplained = 0
    for name, (missing, lines) in left_out(report).items():
        if missing > MOST_LEFT_OUT:
            unexplained += name not in EXPLAINED
            print(f"{missing:6.1%}  {name}: {EXPLAINED.get(name, 'NOT EXPLAINED')}; lines {_ranges(lines)}")
    return int(unexplained > 0)


def _ranges(lines):
    """Return `1-3, 7` for 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for line in lines:
        if parts and line == parts[-1][1] + 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

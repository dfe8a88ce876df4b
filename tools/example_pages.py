"""Pages of the examples: `python tools/example_pages.py [NAME ...]` (or `make examples`).

Runs the scripts of `examples/` cell by cell, each in its own process and a temporary folder, and writes
`docs/examples/NAME.md` with the code, the output of every cell and the pictures `NAME*.png` that it wrote,
and `docs/examples/index.md`.
"""

import contextlib
import io
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "examples"
MARK = re.compile(r"^# %%(?P<kind>.*)\n", re.MULTILINE)  # beginning of a cell, as jupytext reads it


def scripts() -> list[Path]:
    """Return the examples, in the order in which they are listed."""
    return sorted((ROOT / "examples").glob("*.py"))


def cells(script: Path) -> list[tuple[str, str]]:
    """Return `(kind, text)` of every cell: "markdown", without the signs of a comment, or "code"."""
    _, *parts = MARK.split(script.read_text(encoding="utf-8"))
    found = []
    for kind, text in zip(parts[::2], parts[1::2], strict=True):
        if "markdown" in kind:
            text = re.sub(r"^# ?", "", text.strip().strip('"'), flags=re.MULTILINE)
        found.append(("markdown" if "markdown" in kind else "code", text.strip()))
    return found


def title(script: Path) -> str:
    """Return the first line of an example, without its full stop."""
    return cells(script)[0][1].splitlines()[0].rstrip(".")


def run(script: Path) -> str:
    """Execute the cells of an example in the current folder, and return its page."""
    (_, first), *others = cells(script)
    namespace = {"__name__": "__main__"}
    page = [f"# {first.splitlines()[0].rstrip('.')}", "\n".join(first.splitlines()[1:]).strip()]
    page.append(f"The script: [examples/{script.name}](../../examples/{script.name}).")
    for kind, text in others:
        if kind == "markdown":
            page.append(text)
            continue
        page.append(f"```python\n{text}\n```")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(text, str(script), "exec"), namespace)
        if output := printed.getvalue().strip("\n"):
            page.append(f"Output:\n\n```text\n{output}\n```")
    return "\n\n".join(page)


def write_page(script: Path) -> None:
    """Run an example in a temporary folder and write its page and pictures."""
    sys.argv = [str(script)]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        page = run(script)
        for picture in sorted(Path().glob(f"{script.stem}*.png")):
            (PAGES / picture.name).write_bytes(picture.read_bytes())
            page += f"\n\n![Picture that the example writes]({picture.name})"
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(one.ru_utime for one in usage)
    page += f"\n\nThe example takes {max(1, round(seconds / 10)) * 10} s of a processor core.\n"
    (PAGES / f"{script.stem}.md").write_text(page, encoding="utf-8")


def write_index() -> None:
    """Write the list of the examples; one without a page leads to its script."""
    rows = []
    for script in scripts():
        page = (PAGES / f"{script.stem}.md").exists()
        target = f"{script.stem}.md" if page else f"../../examples/{script.name}"
        note = "" if page else " (script only; `make examples` writes its page)"
        rows.append(f"| [{script.stem}]({target}) | {title(script)}{note} |")
    text = "# Examples\n\n| example | subject |\n|---|---|\n" + "\n".join(rows) + "\n"
    (PAGES / "index.md").write_text(text, encoding="utf-8")


def main(names: list[str]) -> None:
    """Write the pages of the examples `names`, or of all."""
    PAGES.mkdir(exist_ok=True)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if len(names) == 1:
        write_page(ROOT / "examples" / f"{names[0]}.py")
        return
    for name in names or [script.stem for script in scripts()]:
        print(name, flush=True)
        subprocess.run([sys.executable, __file__, name], check=True)  # a fresh TensorFlow for each
    write_index()


if __name__ == "__main__":
    main(sys.argv[1:])

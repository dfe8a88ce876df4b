"""Types of the package, checked by mypy: `python tools/typecheck.py` (or `make typecheck`).

mypy finds modules by their folders, and has no setting like `package-dir` of `pyproject.toml`. It is started
in a temporary folder whose links show the folders as they are installed, so that each file is checked once,
under the name by which others import it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run mypy on the package, and return its exit code; arguments are options of mypy."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "keras_ae")
        package.mkdir()
        for path in [*ROOT.glob("keras_ae/*"), ROOT / "training", ROOT / "export"]:
            (package / path.name).symlink_to(path)
        Path(folder, "keras_ae_command.py").symlink_to(ROOT / "keras_ae_command.py")
        mypy = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
        mypy += ["--cache-dir", str(ROOT / ".mypy_cache"), *sys.argv[1:]]
        mypy += ["--package", "keras_ae", "--module", "keras_ae_command"]
        done = subprocess.run(mypy, cwd=folder, stdout=subprocess.PIPE, text=True)
    for name in ("training", "export"):  # paths as in the repository
        done.stdout = done.stdout.replace(f"keras_ae/{name}/", f"{name}/")
    print(done.stdout, end="")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())

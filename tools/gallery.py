"""Pictures of the documentation, made by recipes on the embedded data: `python tools/gallery.py [NAME ...]`.

Trains the recipe of each picture (or takes the finished run of the same command in `--runs`), and writes
`docs/gallery/NAME.png`. The front picture is the report of `keras-ae demo` in a browser, above its
reconstructions; it needs Chromium. `make gallery` draws all of them: about ten minutes of two quiet cores.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "gallery"
LARGEST = 300_000  # bytes of a picture


@dataclass(frozen=True)
class Picture:
    """One picture: a figure of the run of a command.

    Attributes:
        name: name of the picture.
        title: title on the page.
        text: description on the page.
        command: arguments of `keras-ae`.
        figure: name of the file in `figures` of the run.
        page: page of the model, relative to `docs`.
    """

    name: str
    title: str
    text: str
    command: str
    figure: str
    page: str


GALLERY = (
    Picture(
        "vqvae",
        "VQ-VAE on handwritten digits",
        "Held-out digits of 8x8 pixels above their reconstructions from four codes of 64 values.",
        "demo",
        "reconstructions.png",
        "discrete.md",
    ),
    Picture(
        "codes",
        "Use of the codebook",
        "How often each code of the same model was chosen in an epoch, sorted.",
        "demo",
        "codebook_usage.png",
        "discrete.md",
    ),
    Picture(
        "samples",
        "New digits from a prior over codes",
        "One row for each class: codes drawn from a transformer conditioned on the class, then decoded.",
        "train vqvae-prior --class-conditional",
        "samples.png",
        "discrete.md",
    ),
    Picture(
        "vae",
        "Dimensions of a variational auto-encoder",
        "Digits: each row changes one dimension of the same embedding. Two of the eight are in use; the "
        "others follow the prior.",
        "train vae",
        "latent_traversal.png",
        "auto_encoders.md",
    ),
)
FRONT = "front.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def run_of(command: str, runs: Path) -> Path:
    """Return the directory of the finished run of `command` in `runs`, which is trained if it is missing."""
    if found := finished_run(command, runs):
        return found
    program = Path(sys.executable).with_name("keras-ae")
    subprocess.run([program, *shlex.split(command), "--runs", str(runs)], check=True)
    found = finished_run(command, runs)
    if found is None:
        raise FileNotFoundError(f"{runs} has no finished run of `keras-ae {command}` after its training.")
    return found


def finished_run(command: str, runs: Path) -> Path | None:
    """Return the latest finished run of `command` in `runs`."""
    for record in sorted(runs.glob("*/*/config.json"), reverse=True):
        made = json.loads(record.read_text())["command"]
        if made and made.startswith(f"keras-ae {command}") and (record.parent / "report.html").exists():
            return record.parent
    return None


def small_picture(image: Image.Image, path: Path, width: int = 1200) -> None:
    """Write `image` with at most 256 colours and `width` pixels.

    Raises:
        ValueError: the file has more than `LARGEST` bytes.
    """
    if image.width > width:
        image = image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)
    image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} must have at most {LARGEST} bytes. Received: {path.stat().st_size}")


def draw_front(run: Path, path: Path) -> None:
    """Write the beginning of the run's report and its reconstructions as one picture."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"No Chromium was found: {path.name} is not drawn.")
        return
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder, "report.png")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        flags += [f"--user-data-dir={folder}/profile", "--window-size=1100,500", f"--screenshot={shot}"]
        report = (run / "report.html").resolve().as_uri()
        subprocess.run([browser, *flags, report], check=True, capture_output=True, timeout=120)
        page = Image.open(shot).convert("RGB")
    grid = Image.open(run / "figures" / "reconstructions.png").convert("RGB")
    grid = grid.resize((page.width, round(grid.height * page.width / grid.width)), Image.Resampling.LANCZOS)
    both = Image.new("RGB", (page.width, page.height + grid.height), "white")
    both.paste(page, (0, 0))
    both.paste(grid, (0, page.height))
    small_picture(both, path)


def main() -> None:
    """Draw the pictures whose names are given, or all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="Names of the pictures; all by default.")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "gallery", help="Folder of the runs.")
    settings = parser.parse_args()
    PICTURES.mkdir(exist_ok=True)
    for picture in GALLERY:
        if not settings.names or picture.name in settings.names:
            figure = run_of(picture.command, settings.runs) / "figures" / picture.figure
            small_picture(Image.open(figure), PICTURES / f"{picture.name}.png")
    if not settings.names or "front" in settings.names:
        draw_front(run_of("demo", settings.runs), PICTURES / FRONT)


if __name__ == "__main__":
    main()

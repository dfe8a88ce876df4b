"""The report in a real browser, where there is one."""

import json
import re
import shutil
import subprocess

import pytest

from keras_ae.training.report.page import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
]
# A page around the report, as wide as a phone: the report holds no scripts, and its policy allows none.
PROBE = """<!doctype html><meta charset="utf-8"><title></title>
<iframe width="390" height="3000" sandbox="allow-same-origin"></iframe>
<script>
const frame = document.querySelector("iframe");
const channels = colour => [...colour.match(/[\\d.]+/g).map(Number), 1].slice(0, 4);
const part = value => value / 255 <= .04045 ? value / 255 / 12.92 : ((value / 255 + .055) / 1.055) ** 2.4;
const luminance = ([red, green, blue]) => .2126 * part(red) + .7152 * part(green) + .0722 * part(blue);
function ground(element, view) {
  for (; element; element = element.parentElement) {
    const colour = channels(view.getComputedStyle(element).backgroundColor);
    if (colour[3] > .5) return colour;
  }
  return [255, 255, 255];
}
function faint(page, view) {  // text whose contrast with its ground is below 4.5 (WCAG 2, level AA)
  const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const texts = [...page.querySelectorAll("body *")].filter(own).filter(element => !element.closest("svg"));
  return texts.filter(element => {
    const pair = [channels(view.getComputedStyle(element).color), ground(element, view)].map(luminance);
    return (Math.max(...pair) + .05) / (Math.min(...pair) + .05) < 4.5;
  }).map(element => element.outerHTML.slice(0, 80));
}
frame.onload = () => {
  const page = frame.contentDocument, images = [...page.images];
  const uses = [...page.querySelectorAll("svg use")], names = [...page.querySelectorAll(".names")];
  document.title = JSON.stringify({
    images: images.length,
    broken: images.filter(image => !image.complete || !image.naturalWidth).length,
    width: page.documentElement.scrollWidth,
    height: page.documentElement.scrollHeight,
    paper: getComputedStyle(page.body).backgroundColor,
    pictures: uses.length,
    missing: uses.filter(use => !page.querySelector(use.getAttribute("href"))).length,
    named: names.filter(one => getComputedStyle(one).display !== "none").length,
    points: page.querySelectorAll(".plane circle").length,
    faint: faint(page, frame.contentWindow),
    hidden: [...page.querySelectorAll("nav")].map(menu => getComputedStyle(menu).scrollbarWidth === "none"),
    plain: images.map(image => image.currentSrc === image.src),
  });
};
frame.srcdoc = PAGE;
</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: the report is not tried in a browser")


def browse(path, profile, *flags):
    """`(document after loading, lines of the log)`."""
    command = [CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile}", "--dump-dom", path.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return result.stdout, result.stderr.splitlines()


@pytest.fixture
def run_directory(run_directory, embedding_record):
    """A run whose embedding was measured, with a picture that the section of the embedding has not."""
    figures = run_directory / "figures"
    shutil.copy(figures / "reconstructions.png", figures / "samples.png")
    embedding_record.save(run_directory)
    return run_directory


def measure(run, folder, *flags):
    page = json.dumps(write_report(run).read_text(encoding="utf-8")).replace("</", "<\\/")
    probe = folder / "probe.html"
    probe.write_text(PROBE.replace("PAGE", page), encoding="utf-8")
    document, _ = browse(probe, folder / "profile", *flags)
    return json.loads(re.search(r"<title>(.*?)</title>", document).group(1))


def test_the_page_opens_without_complaints(run_directory, tmp_path):
    _, log = browse(write_report(run_directory), tmp_path / "profile")
    assert [line for line in log if "CONSOLE" in line] == []


def test_a_phone_shows_all_images_and_scrolls_in_one_direction_only(run_directory, tmp_path):
    found = measure(run_directory, tmp_path)
    assert (found["images"], found["broken"]) == (3, 0)
    assert found["width"] <= 390
    assert found["height"] > 1000
    assert found["hidden"] == [False]  # the bar of the menu, which is wider than the phone
    # the map: its points, each with its picture, coloured by the first of the factors
    assert found["points"] == 40 and found["pictures"] > 40 and found["missing"] == 0
    assert found["named"] == 1


def test_dark_readers_get_dark_paper_and_dark_curves(run_directory, tmp_path):
    scheme = "--blink-settings=preferredColorScheme="
    light = measure(run_directory, tmp_path, f"{scheme}1")
    dark = measure(run_directory, tmp_path, f"{scheme}0")
    assert light["plain"] == [True] * 3
    assert dark["plain"] == [False, False, True]
    assert light["paper"] != dark["paper"]
    assert light["faint"] == dark["faint"] == []

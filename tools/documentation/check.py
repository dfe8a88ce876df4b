"""Check the built site: `python -m tools.documentation.check` (part of `make docs`).

Every public name has a place in the API reference. In Chromium, every page is opened at the width of a
screen in the light scheme and at that of a phone in the dark one: no message on the console, no request
beyond the site, no broken picture, nothing wider than the page. The search finds pages, also without a
server. Without Chromium the second part is skipped, and says so.
"""

import http.server
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path

from tools.documentation.names import MODULES, ROOT

SITE = ROOT / "build" / "site"
# former places of names that are documented under the present ones
FORMER = {
    "keras_ae.data_warning.DataWarning": "keras_ae.errors.DataWarning",
    "keras_ae.loss_term.LossTerm": "keras_ae.ops.LossTerm",
    "keras_ae.loss_term.scalars": "keras_ae.ops.scalars",
    "keras_ae.training.callbacks.CodebookUsage": "keras_ae.training.callbacks.CodebookMonitor",
    "keras_ae.training.voice_conversion_figures.conversion_figures": (
        "keras_ae.evaluation.speech.converter_results.conversion_results"
    ),
    "keras_ae.training.voice_conversions.convert_all": "keras_ae.evaluation.speech.conversions.convert_all",
    "keras_ae.training.voice_conversions.fit_judge": "keras_ae.evaluation.speech.conversions.fit_judge",
}
# preferred colour scheme of Chromium: width of the pages
SCHEMES = {1: 1280, 0: 390}
PATIENCE = 900  # seconds for all pages, on a busy machine
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--enable-logging=stderr"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
# opens the pages one after the other in a frame, and collects what is wrong with them
# opens the pages one after the other in a frame, and sends the server what is wrong with them
PROBE = """<!doctype html><meta charset="utf-8"><title>probe</title>
<script>
const pages = PAGES, width = WIDTH, found = [];
const until = async (ready, tries = 300) => {
  for (; tries && !ready(); tries--) await new Promise(done => setTimeout(done, 100));
};
async function opened(url) {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px`;
  const loaded = new Promise(done => frame.onload = done);
  frame.src = url;
  document.body.append(frame);
  await loaded;
  return frame;
}
async function look(url) {
  const frame = await opened(url), page = frame.contentDocument;
  const say = text => found.push(`${url} at ${width} px: ${text}`);
  for (const image of page.images) {
    image.loading = "eager";
    await until(() => image.complete);
    if (!image.naturalWidth) say(`${image.src} is broken`);
  }
  const wide = page.documentElement.scrollWidth;
  if (wide > width) say(`${wide} px wide`);
  for (const one of frame.contentWindow.performance.getEntriesByType("resource"))
    if (!one.name.startsWith(location.origin) && !one.name.startsWith("data:")) say(`requests ${one.name}`);
  frame.remove();
}
async function search(word) {
  const page = (await opened(`index.html?q=${word}`)).contentDocument;
  const results = () => page.querySelectorAll(".md-search-result__item").length;
  await until(results);
  if (!results()) found.push(`the search for ${word} finds nothing`);
}
addEventListener("load", async () => {
  for (const page of pages) await look(page);
  await search("codebook");
  fetch("/found", {method: "POST", body: JSON.stringify(found)});
});
</script><body></body>"""


def missing_names(site: Path, names: list[str]) -> list[str]:
    """Return the names that have no anchor in the inventory of the site."""
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    anchors = {line.split(" ")[0] for line in zlib.decompress(inventory).decode().splitlines()}
    return [name for name in names if FORMER.get(name, name) not in anchors]


def console(log: str) -> list[str]:
    """Return the messages of the console in a log of Chromium."""
    return sorted({line for line in log.splitlines() if "CONSOLE" in line})


class Server(http.server.ThreadingHTTPServer):
    """Server of the site and of the probe page, which receives what the probe found."""

    def __init__(self, probe: str):
        super().__init__(("127.0.0.1", 0), Handler)
        self.probe = probe
        self.found: queue.Queue[list[str]] = queue.Queue()
        self.missing: set[str] = set()
        self.address = f"http://127.0.0.1:{self.server_port}/probe.html"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the site; missing ones are collected by the server."""

    server: Server

    def __init__(self, *args):
        super().__init__(*args, directory=str(SITE))

    def do_GET(self):
        if self.path != "/probe.html":
            return super().do_GET()
        self._answer(self.server.probe.encode())

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.found.put(json.loads(text))
        self._answer(b"")

    def _answer(self, content):
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Print nothing."""

    def send_error(self, code, *rest):
        if self.path != "/favicon.ico":  # of the probe page
            self.server.missing.add(f"{self.path}: {code}")
        super().send_error(code, *rest)


def problems_in_browser(browser: str) -> list[str]:
    """Return what is wrong with the pages, one line each."""
    pages = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html"))
    pages.remove("404.html")  # which servers show at any address
    problems = []
    for scheme, width in SCHEMES.items():
        server = Server(PROBE.replace("PAGES", json.dumps(pages)).replace("WIDTH", str(width)))
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            open(Path(folder, "log"), "w+") as log,
        ):
            flags = [*FLAGS, f"--user-data-dir={folder}/profile", f"--window-size={width},900"]
            flags += [f"--blink-settings=preferredColorScheme={scheme}"]
            process = subprocess.Popen([browser, *flags, server.address], stdout=log, stderr=log)
            try:
                problems += server.found.get(timeout=PATIENCE)
            except queue.Empty:
                problems.append(f"the pages were not all opened within {PATIENCE} seconds")
            process.terminate()
            process.wait()
            log.seek(0)
            problems += console(log.read())
        server.shutdown()
        problems += sorted(server.missing)
    return problems + problems_of_file(browser)


def problems_of_file(browser: str) -> list[str]:
    """Return what is wrong with the search of a page that is opened without a server."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", "--virtual-time-budget=20000", "--dump-dom"]
        address = f"{(SITE / 'index.html').as_uri()}?q=codebook"
        done = subprocess.run([*command, address], capture_output=True, text=True, timeout=PATIENCE)
    problems = [f"as a file: {line}" for line in console(done.stderr)]
    found = "md-search-result__item" in done.stdout
    return problems if found else [*problems, "as a file: the search finds nothing"]


def main() -> int:
    """Print what is wrong, and return 1 if anything is."""
    names = (ROOT / "tests" / "public_names.txt").read_text().split()
    names = [name for name in names if name not in MODULES]
    problems = [
        f"{name} is not in the API reference: add its module to MODULES in tools/documentation/names.py"
        for name in missing_names(SITE, names)
    ]
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("No Chromium was found: the pages are not tried in a browser.")
    else:
        problems += problems_in_browser(browser)
    print("\n".join(problems) or f"The site is right: {SITE.relative_to(ROOT)}/index.html")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

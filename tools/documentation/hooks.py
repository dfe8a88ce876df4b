"""Hooks of MkDocs: pages made from the sources, and links from names in the text to the API reference."""

import html
import posixpath
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page as SitePage

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # MkDocs loads hooks by their path

from tools.documentation.names import INSTALLED, ROOT, Page, load_package, pages, summary
from tools.gallery import GALLERY

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CODE = re.compile(r"<code>([\w.]+)(\([^<]*\))?</code>")
# a link, a heading or a block of code, in which no name becomes a link
CLOSED = re.compile(r"(<(a|h[1-6]|pre|autoref)\b.*?</\2>)", re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")  # to a file
ROOT_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}

# mkdocstrings, which starts after the hooks are loaded, leaves out search paths that do not exist
INSTALLED.mkdir(parents=True, exist_ok=True)

_reference: list[Page] = []
_links: dict[str, str] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take address and version from pyproject.toml, and put the pages of the reference into the menu."""
    config.site_url = PROJECT["urls"]["Documentation"].rstrip("/") + "/"
    config.copyright = f"keras_ae {PROJECT['version']} · Apache-2.0"
    _reference[:] = pages(load_package())
    _links.clear()
    _links.update(link_targets(_reference))
    fill(config.nav or [], "API reference", menu(_reference))
    for title in ("Results", "Examples"):
        fill(config.nav or [], title)
    return config


def fill(nav: list[Any], title: str, entries: list[Any] | None = None) -> None:
    """Append `entries` to the section `title` of the menu; `None`: the pages that its first page lists."""
    for section in nav:
        if title in section:
            first = section[title]
            section[title] = [first, *(listed(first) if entries is None else entries)]


def listed(index: str) -> list[dict[str, str]]:
    """Return the pages to which the tables and lists of a page lead, in their order, with their titles."""
    text = (ROOT / "docs" / index).read_text(encoding="utf-8")
    links = re.findall(r"^(?:\| |- |\* )\[([^\]]*)\]\(([\w/]+\.md)\)", text, re.MULTILINE)
    folder = posixpath.dirname(index)
    return [{title: posixpath.join(folder, path)} for title, path in links]


def menu(reference: list[Page]) -> list[dict[str, Any]]:
    """Return the entries of the reference; pages titled "A: b" are b in the section A."""
    entries: dict[str, Any] = {}
    for page in reference:
        section, _, title = page.title.partition(": ")
        if title:
            entries.setdefault(section, []).append({title[0].upper() + title[1:]: page.path})
        else:
            entries[section] = page.path
    return [{title: entry} for title, entry in entries.items()]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the reference, the changelog and the guide for contributors."""
    made = {page.path: page_of(page) for page in _reference}
    made["api/index.md"] = index_of(_reference)
    made["gallery.md"] = gallery_page()
    made |= {path: (ROOT / name).read_text(encoding="utf-8") for name, path in ROOT_PAGES.items()}
    for path, content in made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: SitePage, **_: Any) -> str:
    """Let links to files of the repository lead to their pages, or to the repository."""
    place = posixpath.join("docs", posixpath.dirname(page.file.src_uri)).rstrip("/")
    source = "" if page.file.src_uri in ROOT_PAGES.values() else place
    return LINK.sub(lambda link: f"]({_address(link[1], source, place)}{link[2] or ''})", markdown)


def _address(link: str, source: str, place: str) -> str:
    """Return the address on the site of a link of a file in the folder `source`, whose page is in `place`."""
    path = posixpath.normpath(posixpath.join(source, link))
    if path in ROOT_PAGES:
        path = posixpath.join("docs", ROOT_PAGES[path])
    if path.startswith("docs/"):
        return posixpath.relpath(path, place)
    if not (ROOT / path).exists():
        raise FileNotFoundError(f"{path}: a page of docs links to this file, which does not exist.")
    return f"{PROJECT['urls']['Repository']}/blob/main/{path}"


def on_page_content(content: str, **_: Any) -> str:
    """Make public names in the text links to the reference."""
    return linked(content, _links)


def linked(content: str, targets: dict[str, str]) -> str:
    """Return HTML in which code that is a name of `targets`, or a call of it, is a link.

    Links, headings and blocks of code stay as they are.
    """

    def link(code: re.Match) -> str:
        target = targets.get(code[1])
        return f'<autoref identifier="{target}">{code[0]}</autoref>' if target else code[0]

    parts = CLOSED.split(content)  # text, closed element, its name, text, ...
    parts[::3] = [CODE.sub(link, text) for text in parts[::3]]
    return "".join(part for place, part in enumerate(parts) if place % 3 != 2)


def link_targets(reference: list[Page]) -> dict[str, str]:
    """Return `{name as it is written in the text: public name}`.

    A name is written with its module, or alone if only one public name ends so and it is not a plain word.
    """
    found: dict[str, set[str]] = {}
    for page in reference:
        for one in page.objects:
            full = f"{page.module}.{one.name}"
            written = [full, full.removeprefix("keras_ae."), *_short(page.module, one.name)]
            for name in written:
                found.setdefault(name, set()).add(full)
    return {name: min(targets) for name, targets in found.items() if len(targets) == 1}


def _short(module: str, name: str) -> list[str]:
    short = [f"{module.rpartition('.')[2]}.{name}"]
    return [*short, name] if name != name.lower() or "_" in name else short


def page_of(page: Page) -> str:
    """Return the Markdown of a page of the reference."""
    rows = [f"| [`{one.name}`][{page.module}.{one.name}] | {_cell(summary(one))} |" for one in page.objects]
    table = "\n".join(["| name | |", "|---|---|", *rows])
    objects = "\n\n".join(f"::: {page.module}.{one.name}" for one in page.objects)
    return f"# {page.title}\n\n`{page.module}`\n\n{table}\n\n{objects}\n"


def _cell(text: str) -> str:
    """Return text for a cell of a table; code is escaped by Markdown itself."""
    parts = re.split(r"(`[^`]*`)", text.replace("|", r"\|"))
    return "".join(part if part.startswith("`") else html.escape(part, quote=False) for part in parts)


def index_of(reference: list[Page]) -> str:
    """Return the Markdown of the list of all public names."""
    rows = []
    for page in reference:
        names = ", ".join(f"[`{one.name}`][{page.module}.{one.name}]" for one in page.objects)
        rows.append(f"| [{page.title}]({Path(page.path).name}) | {names} |")
    return "\n".join(
        [
            "# API reference",
            "",
            "All public names. `import keras_ae` registers every layer and model, so that",
            "`keras.saving.load_model` needs no `custom_objects`.",
            "",
            "| page | names |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def gallery_page() -> str:
    """Return the Markdown of the gallery: each picture with its command."""
    lines = ["# Gallery", "", "Pictures of recipes on the embedded data, drawn by `make gallery`.", ""]
    for one in GALLERY:
        lines += [f"## {one.title}", "", f"![{one.title}](gallery/{one.name}.png)", ""]
        lines += [f"{one.text} [The model]({one.page})", "", "```", f"keras-ae {one.command}", "```", ""]
    return "\n".join(lines)

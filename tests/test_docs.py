"""README and documentation: addresses, code and commands that exist."""

import ast
import dataclasses
import importlib
import inspect
import re
import shlex
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import keras_ae
from keras_ae.training.cli import all_commands
from keras_ae.training.recipes import RECIPES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SITE, REPOSITORY = PROJECT["urls"]["Documentation"], PROJECT["urls"]["Repository"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# pages that the build makes from other files
MADE = {"changelog", "contributing", "gallery", "api/index"}
# options of `keras-ae train` that belong to no recipe
OPTIONS_OF_TRAIN = {"resume", "init-from", "runs", "config", "help"}


def blocks(page, language):
    """The blocks of code of a page in one language ("" for commands)."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def slug(title):
    """The anchor of a heading, as the site makes it."""
    plain = re.sub(r"[^\w\s-]", "", title.replace("`", "").replace("\\", "")).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)


def test_the_readme_is_short_and_names_its_commands():
    assert len(README.splitlines()) <= 150
    assert {"make demo", "make test"} <= set(README.splitlines())


def test_links_of_the_readme_work_without_the_repository():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links and all(link.startswith("https://") for link in links)
    for link in links:
        path, _, anchor = link.partition("#")
        if path.startswith(f"{REPOSITORY}/blob/main/"):
            assert (ROOT / path.removeprefix(f"{REPOSITORY}/blob/main/")).is_file(), link
        elif path.startswith(f"{SITE}/"):
            page = path.removeprefix(f"{SITE}/")
            source = ROOT / "docs" / re.sub(r"\.html$", ".md", page)
            assert source.is_file() or page.removesuffix(".html") in MADE, link
            if anchor:
                titles = re.findall(r"^#+ (.*)$", source.read_text(encoding="utf-8"), re.M)
                assert anchor in map(slug, titles), link
        else:
            assert path.startswith("https://arxiv.org/abs/"), f"{link} is no address of pyproject.toml"


def test_the_addresses_are_those_of_the_project():
    assert PROJECT["urls"]["Changelog"] == f"{SITE}/changelog.html"
    assert f"url: {SITE}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_of_a_page_is_python_whose_imports_exist(page):
    for block in blocks(page, "python"):
        if block.startswith(">>>"):
            continue
        for node in ast.walk(ast.parse(block, str(page))):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("keras_ae"):
                module = importlib.import_module(node.module)
                missing = [alias.name for alias in node.names if not hasattr(module, alias.name)]
                assert not missing, f"{page.name}: {node.module} has no {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_of_the_package_in_the_code_of_a_page_exist_after_import_keras_ae(page):
    trees = [ast.parse(block) for block in blocks(page, "python") if not block.startswith(">>>")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "keras_ae":
            assert "keras_ae" in imported, f"{page.name}: import keras_ae"
            assert node.attr in keras_ae.__all__, f"{page.name}: keras_ae.{node.attr} must be imported"


def test_the_page_of_the_installation_lists_the_extras():
    page = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.M)
    assert sorted([*listed, "test"]) == sorted(PROJECT["optional-dependencies"])


def test_every_page_is_in_the_menu():
    """`mkdocs build --strict` requires it too; a hook adds those that an index lists."""
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        path = page.relative_to(ROOT / "docs").as_posix()
        listed = path.startswith(("results/", "examples/"))
        assert listed or re.search(rf"[ :]{re.escape(path)}$", menu, re.M), f"{path}: add it to mkdocs.yml"


def commands():
    """`(page, words)` of every `keras-ae` in a block of commands."""
    for page in PAGES:
        for block in blocks(page, ""):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("keras-ae "):
                    yield page.stem, shlex.split(line, comments=True)[1:]


def test_commands_of_the_pages_exist_with_their_recipes_and_options():
    pytest.importorskip("tyro")
    known, seen = all_commands(), 0
    for page, (command, *words) in commands():
        if command.startswith("--"):
            continue
        assert command in known, f"{page}: keras-ae {command}"
        options = {word[2:].split("=")[0].removeprefix("no-") for word in words if word.startswith("--")}
        if command != "train":
            named = {name.replace("_", "-") for name in inspect.signature(known[command].function).parameters}
            assert options <= named, f"{page}: keras-ae {command}: {options - named}"
            continue
        if words[0] == "RECIPE" or words[0].startswith("--"):
            continue
        recipe = words[0]
        assert recipe in RECIPES, f"{page}: {recipe}"
        fields = {field.name.replace("_", "-") for field in dataclasses.fields(RECIPES[recipe])}
        assert options <= fields | OPTIONS_OF_TRAIN, f"{page}: {recipe}: {options - fields}"
        seen += 1
    assert seen > 10


def test_sections_of_docstrings_become_markdown():
    pytest.importorskip("griffe", reason="the extra docs is not installed")
    from tools.documentation.docstrings import as_markdown

    docstring = """Add.

Args:
    a, b: terms,
        in this order.
    c: more.

Call arguments:
    x: `(batch, dim)`,
        float.

Example:

>>> Add()(1)  # doctest: +ELLIPSIS
1

Reference:
    Somebody, 2020."""
    assert re.split(r"\n{2,}", as_markdown(docstring)) == [
        "Add.",
        "Args:\n    a: terms,\n        in this order.\n    b: see `a`.\n    c: more.",
        "**Call arguments**",
        "- `x`: `(batch, dim)`,\n  float.",
        "**Example**",
        "```pycon\n>>> Add()(1)\n1\n```",
        "**Reference**",
        "Somebody, 2020.",
    ]


def test_names_in_the_text_lead_to_the_reference():
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    from tools.documentation.hooks import link_targets, linked
    from tools.documentation.names import Page

    layers = Page("", "", "keras_ae.layers", [SimpleNamespace(name="AdaIN"), SimpleNamespace(name="Usage")])
    others = Page("", "", "keras_ae.metrics", [SimpleNamespace(name="Usage"), SimpleNamespace(name="probe")])
    targets = link_targets([layers, others])
    assert targets["AdaIN"] == targets["layers.AdaIN"] == "keras_ae.layers.AdaIN"
    assert targets["metrics.probe"] == "keras_ae.metrics.probe"
    assert not {"probe", "Usage"} & set(targets)  # a plain word, and a name of two classes
    text = "<p><code>AdaIN(epsilon=1)</code> <code>probe</code></p>"
    closed = '<h2><code>AdaIN</code></h2><a href="x"><code>AdaIN</code></a>'
    link = '<autoref identifier="keras_ae.layers.AdaIN"><code>AdaIN(epsilon=1)</code></autoref>'
    assert linked(text + closed, targets) == f"<p>{link} <code>probe</code></p>{closed}"

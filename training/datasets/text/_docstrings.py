"""English prose that is available on every machine: the docstrings of installed packages."""

import ast
import importlib.util
import inspect
import platform
import re
import sysconfig
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from keras_ae.errors import InputError

PACKAGES = ("python", "numpy", "scipy", "sklearn", "matplotlib", "keras", "tensorflow")
DISTRIBUTIONS = {"sklearn": "scikit-learn"}
NOT_READ = frozenset(
    {"test", "tests", "testing", "site-packages", "idlelib", "lib2to3", "_vendor", "externals"}
)


def package_folders(packages: Sequence[str] | None) -> dict[str, Path]:
    """Return `{name and version: folder}` of packages; `None`: the installed ones of `PACKAGES`.

    "python" is the standard library. Nothing is imported.

    Raises:
        InputError: a named package is not installed.
    """
    found = {}
    for name in PACKAGES if packages is None else packages:
        folder = _folder(name)
        if folder is None and packages is not None:
            raise InputError(
                f"packages must be installed packages with Python sources. Received: {name}; install it."
            )
        if folder is not None:
            found[f"{name} {_version(name)}"] = folder
    return found


def docstring_documents(folders: Sequence[Path]) -> Iterator[tuple[str, int, list[str]]]:
    """Yield `(name, number of its file, paragraphs)` of each docstring with prose.

    Docstrings are sorted by path and line. Docstrings with equal prose are included once; files are
    read, never imported.
    """
    known = set()
    paths = [(folder, path) for folder in folders for path in _sources(folder)]
    for number, (folder, path) in enumerate(paths):
        for line, docstring in _docstrings(path):
            paragraphs = prose_of(docstring)
            prose = "\n".join(paragraphs)
            if prose and prose not in known:
                known.add(prose)
                yield f"{folder.name}/{path.relative_to(folder).as_posix()}:{line}", number, paragraphs


def _folder(name):
    if name == "python":
        return Path(sysconfig.get_path("stdlib"))
    spec = importlib.util.find_spec(name) if "." not in name else None
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _version(name):
    try:
        return version(DISTRIBUTIONS.get(name, name))
    except PackageNotFoundError:
        return platform.python_version()  # the package is part of the standard library


def _sources(folder):
    return [
        path
        for path in sorted(folder.rglob("*.py"))
        if NOT_READ.isdisjoint(path.relative_to(folder).parts) and not path.stem.endswith("_test")
    ]


def _docstrings(path):
    try:
        source = path.read_bytes()
        if b'"""' not in source and b"'''" not in source:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of invalid escapes in third-party sources
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError):
        return  # third-party sources may be invalid, such as templates
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            docstring = ast.get_docstring(node, clean=False)
            if docstring:
                yield node.body[0].lineno, docstring


# a line of such a paragraph is code, a table, a list, or markup
NOT_PROSE = re.compile(r"^\s*(>>>|\.\.|```|~~~|[-=~^#*+|]|\d+[.)]|[@:]|\w+\s*:|\w+\s*=)", re.MULTILINE)
MARKUP = (
    (re.compile(r":[\w:]+:`~?([^`<]*?)(?:\s*<[^>]*>)?`"), r"\1"),  # :func:`name`
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{1,2}"), r"\1"),
    (re.compile(r"`{1,2}([^`]*)`{1,2}_{0,2}"), r"\1"),
    (re.compile(r"\*{1,2}(\w[^*\n]*)\*{1,2}"), r"\1"),
    (re.compile(r"\[([^\]\n]*)\]\([^)\s]*\)"), r"\1"),
)
LETTERS = 0.75  # least share of letters and spaces among the characters of a paragraph
WORDS = 4  # least number of words in a paragraph


def prose_of(docstring: str) -> list[str]:
    """Return the paragraphs of plain sentences, each as one line.

    These are paragraphs that are not indented, begin with a capital letter and end with a full
    stop, question or exclamation mark. Lists, tables, examples, literal blocks and the
    descriptions of arguments are left out, markup is removed.

    Example:

    >>> prose_of('''Add two numbers.
    ...
    ...     Returns the *sum* of `a` and
    ...     `b`, without rounding it.
    ...
    ...     >>> add(1, 2)
    ...     3
    ...     ''')
    ['Returns the sum of a and b, without rounding it.']
    """
    blocks = re.split(r"\n\s*\n", inspect.cleandoc(docstring))
    paragraphs = []
    for block in blocks:
        if block.startswith((" ", "\t")) or "\n " in block or NOT_PROSE.search(block):
            continue
        for markup, plain in MARKUP:
            block = markup.sub(plain, block)
        paragraph = " ".join(block.split())
        if _is_prose(paragraph):
            paragraphs.append(paragraph)
    return paragraphs


def _is_prose(paragraph):
    letters = sum(character.isalpha() or character == " " for character in paragraph)
    return (
        paragraph[:1].isupper()
        and paragraph.endswith((".", "!", "?"))
        and paragraph.count(" ") >= WORDS - 1
        and letters >= LETTERS * len(paragraph)
    )

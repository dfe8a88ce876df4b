"""English prose that is on every machine: the docstrings of installed packages."""

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
    """`{name and version: folder}` of packages; `None`: of `PACKAGES`, those that are installed.

    "python" is the standard library. Nothing is imported.

    Raises:
        InputError: a named package is not installed.
    """
    found = {}
    for name in PACKAGES if packages is None else packages:
        folder = _folder(name)
        if folder is None and packages is not None:
            raise InputError(
                f"Expected installed packages with Python sources. Received: {name}; install it."
            )
        if folder is not None:
            found[f"{name} {_version(name)}"] = folder
    return found


def docstring_documents(folders: Sequence[Path]) -> Iterator[tuple[str, int, list[str]]]:
    """`(name, number of its file, paragraphs)` of each docstring with prose.

    The order is that of the paths and, in a file, of the lines. Docstrings of equal prose are
    taken once; files are read, never imported.
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
        return platform.python_version()  # a part of the standard library


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
            warnings.simplefilter("ignore")  # of invalid escapes in the sources of others
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError):
        return  # sources of others, some of them templates
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
LETTERS = 0.75  # of the characters of a paragraph, spaces included, at least
WORDS = 4  # of a paragraph, at least


def prose_of(docstring: str) -> list[str]:
    """The paragraphs of plain sentences, each in one line.

    Taken are paragraphs that are not indented, begin with a capital letter and end with a full
    stop, question or exclamation mark. Lists, tables, examples, literal blocks and the
    descriptions of arguments are left out, markup is taken off.

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

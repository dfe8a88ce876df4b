"""Extension of Griffe that turns the sections of the package's docstrings into Markdown.

Griffe reads `Args:`, `Returns:`, `Raises:` and `Attributes:` by itself. The other sections (`Example:`,
`Call arguments:`, `Output shape:`, `Metrics:`, `Reference:` and so on) become a bold title with their text,
a list where they name their lines, or a block of code.
"""

import re
from typing import Any

import griffe

TITLE = re.compile(
    r"(Example|Reference|Metrics|Call arguments|Inputs of .*|(Input|Output|Input and output) shape):"
)
NAMES = re.compile(r"\w+(, \w+)+")
ITEM = re.compile(r"(\w+): (.*)$")


class Docstrings(griffe.Extension):
    """Rewrite the docstring of every object when it is read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of `obj`."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(docstring: str) -> str:
    """Return a docstring whose sections are those that Griffe reads, or Markdown.

    Example:

    >>> print(as_markdown("Add.\\n\\nMetrics:\\n    loss: the sum"))
    Add.
    <BLANKLINE>
    **Metrics**
    <BLANKLINE>
    - `loss`: the sum
    """
    found, lines = [], docstring.splitlines()
    while lines:
        line = lines.pop(0)
        title = TITLE.fullmatch(line)
        if line.startswith(">>> "):
            found += code([line, *taken(lines, lambda line: line.strip())])
        elif line == "Args:":
            block = taken(lines, lambda line: not line or line.startswith(" "))
            found += [line, *arguments(block)]
        elif title:
            block = taken(lines, lambda line: not line or line.startswith(" "))
            found += [f"**{title[1]}**", "", *section(block)]
        else:
            found.append(line)
    return "\n".join(found).rstrip()


def taken(lines: list[str], belongs: Any) -> list[str]:
    """Remove the first lines for which `belongs` is true from `lines`, and return them."""
    count = next((n for n, line in enumerate(lines) if not belongs(line)), len(lines))
    block, lines[:] = lines[:count], lines[count:]
    return block


def arguments(block: list[str]) -> list[str]:
    """Return the lines of `Args:` with an entry for each name of `a, b: text`."""
    found, others = [], []
    for line in [*block, "    end"]:
        if re.match(r"    \w", line):
            found += others
            names, _, text = line.strip().partition(": ")
            first, *rest = names.split(", ") if NAMES.fullmatch(names) else [names]
            others = [f"    {name}: see `{first}`." for name in rest]
            line = f"    {first}: {text}" if rest else line
        found.append(line)
    return found[:-1]


def section(block: list[str]) -> list[str]:
    """Return an indented block as Markdown: a list if its first line is `name: text`, else as it is."""
    text = [line.removeprefix("    ") for line in "\n".join(block).rstrip().splitlines()]
    if text and ITEM.match(text[0]):
        text = [ITEM.sub(r"- `\1`: \2", line) if ITEM.match(line) else f"  {line.strip()}" for line in text]
    return [*text, ""] if text else []


def code(lines: list[str]) -> list[str]:
    """Return the lines of a doctest as a block of code."""
    shown = [re.sub(r"\s+# doctest:.*", "", line) for line in lines]
    return ["```pycon", *shown, "```", ""]

"""Structure of the package, read from its imports: `python tools/architecture.py` (or `make architecture`).

Prints the sizes of modules and folders and the number of files to open to read some of the larger parts,
and draws `docs/architecture.svg`: the rooms of the package, each above those that it imports.
"""

import ast
import statistics
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# where each top-level folder is imported from
FOLDERS = {"keras_ae": "keras_ae", "training": "keras_ae.training", "export": "keras_ae.export"}
# the number of files to open to read one class or function, which rooms by subject keep small
FILES_TO_OPEN = {
    "keras_ae.layers.bottlenecks.vector_quantizer": 11,
    "keras_ae.training.datasets.images.loading": 15,
    "keras_ae.training.datasets.speech.loading": 16,
    "keras_ae.models.speech.adversarial_voice_converter": 24,
}
SHORT = 60  # lines


@cache
def sources() -> dict[str, Path]:
    """Return `{dotted name: path}` of every module of the package."""
    found = {}
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(path: Path):
    """Yield `(line, dotted name, whether at module level)` of everything that a file imports."""
    top = {id(node) for node in tree(path).body}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            names = [f"{prefix}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield node.lineno, name, id(node) in top


def is_package(name: str) -> bool:
    """Return whether a module of the package is an `__init__.py`."""
    return sources()[name].name == "__init__.py"


def files_to_open(module: str) -> set[str]:
    """Return the module and all modules of the package that it needs, directly or not."""
    found, open_ends = set(), [module]
    while open_ends:
        name = open_ends.pop()
        if name not in found:
            found.add(name)
            open_ends += defining_modules(name)
    return found


@cache
def defining_modules(module: str) -> frozenset[str]:
    """Return the modules that define what a module imports, not the packages that re-export it."""
    found = set()
    for _, name, _ in imports(sources()[module]):
        owner, _, attribute = name.rpartition(".")
        if name in sources():
            found.add(name)
        elif owner in sources() and is_package(owner):
            re_exported = (full.rpartition(".") for _, full, _ in imports(sources()[owner]))
            found.update(origin for origin, _, exported in re_exported if exported == attribute)
        elif owner in sources():
            found.add(owner)
    return frozenset(name for name in found if name in sources() and not is_package(name))


def sizes() -> dict:
    """Return the sizes of modules and folders."""
    modules = [name for name in sources() if not is_package(name)]
    lines = [len(sources()[name].read_text(encoding="utf-8").splitlines()) for name in modules]
    folders = Counter(name.rpartition(".")[0] for name in modules)
    return {
        "modules": len(modules),
        "median lines of a module": statistics.median(lines),
        "most lines of a module": max(lines),
        f"share of modules under {SHORT} lines": round(sum(n < SHORT for n in lines) / len(lines), 3),
        "most modules in a folder": max(folders.values()),
    }


def room_of(module: str) -> str:
    """Return the room of a module: the folder below `keras_ae`, or `keras_ae` itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 2 or is_package(module) and len(parts) == 2 else "keras_ae"


def rooms() -> dict[str, set[str]]:
    """Return `{room: rooms that it imports}`; modules directly in `keras_ae` are below all of them."""
    found = defaultdict(set)
    for name, path in sources().items():
        if name != "keras_ae":
            whole = {other for _, other, _ in imports(path) if other in sources() and other != "keras_ae"}
            found[room_of(name)] |= {room_of(other) for other in defining_modules(name) | whole}
    return {room: others - {room, "keras_ae"} for room, others in found.items() if room != "keras_ae"}


def levels(graph: dict[str, set[str]]) -> dict[str, int]:
    """Return the height of each room: one more than the highest room that it imports."""
    heights = {}

    def height(room):
        if room not in heights:
            heights[room] = 1 + max((height(other) for other in graph[room]), default=-1)
        return heights[room]

    for room in graph:
        height(room)
    return heights


def direct(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the graph without the imports that follow from others."""

    def below(room):
        return set().union(*({other} | below(other) for other in graph[room]))

    return {room: others - set().union(*map(below, others)) for room, others in graph.items()}


def draw(path: Path) -> None:
    """Draw the rooms, each above those that it imports, as an SVG file."""
    from xml.sax.saxutils import escape

    graph, counts = rooms(), Counter(room_of(name) for name in sources() if not is_package(name))
    heights, width, box, row = levels(graph), 900, (130, 34), 84
    top = max(heights.values())
    places = {}
    for level in range(top + 1):
        names = sorted(room for room, height in heights.items() if height == level)
        for number, room in enumerate(names):
            places[room] = (width * (number + 1) / (len(names) + 1), 30 + (top - level) * row)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {60 + top * row}" '
        'font-family="sans-serif" font-size="14" text-anchor="middle">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for room, others in sorted(direct(graph).items()):
        for other in sorted(others):
            (x1, y1), (x2, y2) = places[room], places[other]
            ends = f'x1="{x1:.0f}" y1="{y1 + box[1] / 2:.0f}" x2="{x2:.0f}" y2="{y2 - box[1] / 2:.0f}"'
            lines.append(f'<line {ends} stroke="#888" stroke-width="1"/>')
    for room, (x, y) in sorted(places.items()):
        corner = f'x="{x - box[0] / 2:.0f}" y="{y - box[1] / 2:.0f}"'
        size = f'width="{box[0]}" height="{box[1]}"'
        lines.append(f'<rect {corner} {size} rx="6" fill="#eaf3fb" stroke="#0072b2"/>')
        lines.append(f'<text x="{x:.0f}" y="{y + 5:.0f}">{escape(room)} ({counts[room]})</text>')
    path.write_text("\n".join([*lines, "</svg>", ""]), encoding="utf-8")


def main() -> None:
    """Print the sizes, and draw the picture."""
    for name, value in sizes().items():
        print(f"{name:64} {value}")
    for module, most in FILES_TO_OPEN.items():
        name = f"files to open for {'.'.join(module.split('.')[-2:])}"
        print(f"{name:64} {len(files_to_open(module))} (at most {most})")
    draw(ROOT / "docs" / "architecture.svg")


if __name__ == "__main__":
    main()

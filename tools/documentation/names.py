"""The public names of the package, grouped as on the pages of the API reference."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import griffe

from tools.architecture import ROOT, sources

# the package as it is installed, in which Griffe finds `keras_ae.training` and `keras_ae.export`
INSTALLED = ROOT / "build" / "documented"

# module: (title, whether each of its folders has a page)
MODULES = {
    "keras_ae.layers": ("Layers", True),
    "keras_ae.models": ("Models", True),
    "keras_ae.networks": ("Networks", False),
    "keras_ae.losses": ("Losses", False),
    "keras_ae.metrics": ("Metrics", False),
    "keras_ae.optimizers": ("Optimizers", False),
    "keras_ae.evaluation": ("Evaluation", True),
    "keras_ae.evaluation.speech.conversions": ("Evaluation: Voice conversions", False),
    "keras_ae.evaluation.speech.converter_results": ("Evaluation: Results of voice converters", False),
    "keras_ae.export": ("Export", False),
    "keras_ae.training.run": ("Training: runs", False),
    "keras_ae.training.recipes": ("Training: recipes", False),
    "keras_ae.training.datasets": ("Training: data", False),
    "keras_ae.training.callbacks": ("Training: callbacks", False),
    "keras_ae.training.cli": ("Training: command line", False),
    "keras_ae.text": ("Text", False),
    "keras_ae.audio": ("Audio", False),
    "keras_ae.tables": ("Tables", False),
    "keras_ae.ops": ("Operations", False),
    "keras_ae.errors": ("Errors", False),
}
# of modules that have no `__all__`
NAMES = {
    "keras_ae.evaluation.speech.conversions": ["convert_all", "fit_judge"],
    "keras_ae.evaluation.speech.converter_results": ["conversion_results", "ConverterEmbeddings"],
    "keras_ae.training.run": ["train", "load_model", "Run"],
    "keras_ae.training.cli": ["main"],
    "keras_ae.errors": ["InputError", "DataWarning"],
}
# titles of the folders, in the order of their pages
FOLDERS = {
    "layers": {
        "bottlenecks": "Bottlenecks",
        "masked": "Sequences with padding",
        "speech": "Speech",
        "text": "Text",
        "tables": "Tables",
        "": "General layers",
    },
    "models": {
        "": "Auto-encoders and base classes",
        "discrete": "Discrete models and priors",
        "contrastive": "Contrastive models",
        "speech": "Speech",
        "text": "Sentences",
    },
    "evaluation": {
        "report": "Embedding report",
        "probes": "Probes, leaks, neighbours",
        "pairs": "Pair discrimination, L_D*",
        "disentanglement": "Disentanglement",
        "encoders": "Encoders of any kind",
        "speech": "Speech",
        "text": "Sentences",
    },
}


@dataclass
class Page:
    """One page of the reference: the public names of a module, or of a folder of it."""

    path: str
    title: str
    module: str
    objects: list[griffe.Object | griffe.Alias] = field(default_factory=list)


def link_package() -> None:
    """Create `INSTALLED`: folders with links to the sources, in the layout of the installed package."""
    shutil.rmtree(INSTALLED, ignore_errors=True)
    for name, path in sources().items():
        place = INSTALLED.joinpath(*name.split("."))
        place = place / "__init__.py" if path.name == "__init__.py" else place.with_suffix(".py")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)


def load_package() -> griffe.Module:
    """Read the sources of the package, without importing it."""
    link_package()
    return griffe.load("keras_ae", search_paths=[INSTALLED], try_relative_path=False)


def pages(package: griffe.Module) -> Iterator[Page]:
    """Yield the pages of the reference, with their names in alphabetical order."""
    for path, (title, by_folder) in MODULES.items():
        module = package[path.removeprefix("keras_ae.")]
        names = NAMES.get(path) or sorted(name for name in module.exports if not module[name].is_module)
        stem = "api/" + path.removeprefix("keras_ae.").replace(".", "_")
        if not by_folder:
            yield Page(f"{stem}.md", title, path, [module[name] for name in names])
            continue
        found: dict[str, list] = {}
        for name in names:
            found.setdefault(_folder(module[name], path), []).append(module[name])
        titles = FOLDERS[module.name]
        for folder in sorted(found, key=[*titles, *sorted(found)].index):
            page = f"{stem}_{folder or 'general'}.md"
            subtitle = titles.get(folder, folder.replace("_", " ").capitalize())
            yield Page(page, f"{title}: {subtitle}", path, found[folder])


def _folder(one: griffe.Object | griffe.Alias, module: str) -> str:
    """Return the folder of `module` in which an object is defined, "" for the module itself."""
    inner = one.canonical_path.removeprefix(f"{module}.").split(".")
    return inner[0] if len(inner) > 2 else ""


def summary(one: griffe.Object | griffe.Alias) -> str:
    """Return the first line of the docstring."""
    return one.docstring.value.strip().split("\n\n")[0].replace("\n", " ") if one.docstring else ""

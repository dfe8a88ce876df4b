"""Write the pages of results: docs/results.md and docs/results/<subject>.md.

python benchmarks/render_results.py [--check]

The numbers come from docs/results/*.json, the tables are declared in benchmarks/results.toml.
"""

import argparse
import sys
from pathlib import Path

from parts.result_pages import MARK, index_page, subject_page
from parts.result_tables import read_subject_records, read_subjects

HERE = Path(__file__).resolve().parent
COMMAND = "python benchmarks/render_results.py"


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare the pages with the records")
    parser.add_argument(
        "--docs", type=Path, default=HERE.parent / "docs", help="folder of results/ and results.md"
    )
    parser.add_argument(
        "--tables", type=Path, default=HERE / "results.toml", help="declaration of the tables"
    )
    settings = parser.parse_args(arguments)
    try:
        pages = render(settings.docs / "results", settings.tables)
    except ValueError as error:
        return _complain(error)
    stale = [
        path for path in _generated(settings.docs) if path.relative_to(settings.docs).as_posix() not in pages
    ]
    if settings.check:
        return _check(settings.docs, pages, stale)
    for name, text in pages.items():
        (settings.docs / name).write_text(text, encoding="utf-8")
    for path in stale:
        path.unlink()
    return 0


def render(folder: Path, tables: Path) -> dict[str, str]:
    """Return `{path in docs: Markdown}` of the index and of the page of each subject.

    Args:
        folder: `docs/results`, with the files of records.
        tables: the declaration of subjects and tables.

    Raises:
        ValueError: a record or a declaration is not valid.
    """
    subjects = read_subjects(tables, [path.stem for path in folder.glob("*.json")])
    pages = [(subject, read_subject_records(subject, folder)) for subject in subjects]
    texts = {f"results/{subject.page}.md": subject_page(subject, records) for subject, records in pages}
    return {"results.md": index_page(pages), **texts}


def _generated(docs):
    """Pages of former subjects, too; a page that a person has written is left alone."""
    pages = sorted((docs / "results").glob("*.md"))
    return [page for page in pages if page.read_text(encoding="utf-8").startswith(MARK)]


def _check(docs, pages, stale):
    wrong = [name for name, text in pages.items() if _text(docs / name) != text]
    wrong += [path.relative_to(docs).as_posix() for path in stale]
    if wrong:
        return _complain(f"{', '.join(wrong)}: must be generated from the records. Run: {COMMAND}")
    return 0


def _text(path):
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _complain(message):
    print(f"render_results: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

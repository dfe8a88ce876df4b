"""Results of a verification."""

from collections.abc import Sequence
from dataclasses import dataclass

from keras_ae.pages.formats import format_lines


class VerificationError(RuntimeError):
    """Error for an exported artifact whose outputs differ from those of the model."""


@dataclass(frozen=True)
class VerificationRow:
    """Verification of one output of one endpoint at one batch size and length.

    Attributes:
        format: "saved_model" or "onnx".
        endpoint: name of the endpoint.
        output: name of the output.
        batch: number of examples in the batch.
        length: size of the first free length; `None` without a free length.
        difference: largest absolute difference from the live model.
        relative: `difference` divided by the largest absolute value of the output.
        ties: number of examples excluded because they differ where two codes are equally good.
        ok: whether the artifact passes.
        note: reason for a failure.
    """

    format: str
    endpoint: str
    output: str
    batch: int
    length: int | None
    difference: float
    relative: float
    ties: int
    ok: bool
    note: str = ""


_HEADER = ("format", "endpoint", "output", "batch", "length", "difference", "relative", "ties", "")


@dataclass(frozen=True)
class VerificationReport:
    """Report with all rows of one artifact.

    Example:

    >>> row = VerificationRow("onnx", "encode", "codes", 3, None, 0.0, 0.0, 0, True)
    >>> print(VerificationReport((row,)).table())
    format  endpoint  output  batch  length  difference  relative  ties
    onnx    encode    codes   3      -       0.0e+00     0.0e+00   0     equal
    """

    rows: tuple[VerificationRow, ...]

    @property
    def failures(self) -> list[VerificationRow]:
        """Rows that do not pass."""
        return [row for row in self.rows if not row.ok]

    @property
    def ok(self) -> bool:
        """Whether every row passes and there is at least one row."""
        return bool(self.rows) and not self.failures

    def table(self, rows: Sequence[VerificationRow] | None = None) -> str:
        """Return the rows as aligned plain text; the differences are absolute and relative maxima."""
        cells = [_HEADER] + [_cells(row) for row in (self.rows if rows is None else rows)]
        return "\n".join(format_lines(cells, left=None))

    def check(self) -> "VerificationReport":
        """Return the report itself, or raise a `VerificationError` that lists the failing rows."""
        if not self.rows:
            raise VerificationError("The report must contain at least one compared output. Received: none.")
        if self.failures:
            raise VerificationError(
                f"The artifact differs from the model in {len(self.failures)} of {len(self.rows)} outputs.\n"
                + self.table(self.failures)
            )
        return self


def _cells(row):
    length = "-" if row.length is None else str(row.length)
    numbers = (f"{row.difference:.1e}", f"{row.relative:.1e}", str(row.ties))
    verdict = "equal" if row.ok else f"FAILS {row.note}".rstrip()
    return (row.format, row.endpoint, row.output, str(row.batch), length, *numbers, verdict)

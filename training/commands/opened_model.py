"""Model or artifact that a command uses, and the kind of its data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_ae.errors import InputError
from keras_ae.models.preprocessing import Preprocessing, preprocessing_of
from keras_ae.training.commands.encode import traced


@dataclass(frozen=True)
class OpenModel:
    """Model of a run or a `.keras` file, or exported artifact.

    Attributes:
        path: path of the run, file or artifact.
        call: function of `(endpoint, {name: array})` that returns `{name: array}`.
        inputs: `{endpoint: {name: shape}}` of the inputs of all endpoints.
        model: the model; `None` for an artifact.
        run: the `Run`, or `None`.
        preprocessing: how raw data are converted to inputs; `None` if unknown.
    """

    path: Path
    call: Callable[[str, dict[str, Any]], dict[str, Any]]
    inputs: Mapping[str, Mapping[str, tuple]]
    model: Any = None
    run: Any = None
    preprocessing: Preprocessing | None = field(default=None)

    @classmethod
    def of_model(cls, path: Path, model: Any, endpoints: Mapping[str, Any], run: Any = None) -> "OpenModel":
        """Return the opened `model`, in float32, with its table of endpoints."""
        functions: dict[str, Callable] = {}

        def call(endpoint, given):
            if endpoint not in functions:
                functions[endpoint] = traced(endpoints[endpoint])
            return functions[endpoint](given)

        shapes = {
            name: {key: tuple(spec.shape) for key, spec in endpoint.inputs.items()}
            for name, endpoint in endpoints.items()
        }
        return cls(path, call, shapes, model, run, preprocessing_of(model))

    @classmethod
    def of_artifact(cls, path: Path, artifact: Any) -> "OpenModel":
        """Return the opened `export.Artifact`."""
        shapes = {
            name: {key: tuple(entry["shape"]) for key, entry in endpoint["inputs"].items()}
            for name, endpoint in artifact.manifest["endpoints"].items()
        }
        return cls(
            path,
            lambda endpoint, given: artifact.run(endpoint, **given),
            shapes,
            preprocessing=artifact.preprocessing,
        )

    @property
    def recipe(self) -> Any:
        """Recipe of the run, or `None`."""
        return None if self.run is None else self.run.recipe()

    @property
    def columns(self) -> tuple[dict[str, Any], ...] | None:
        """Columns of the table whose rows are the data; `None` for other data."""
        return None if self.preprocessing is None else self.preprocessing.columns

    @property
    def kind(self) -> str:
        """Kind of the data: "images", "speech", "text", "tables" or "arrays"."""
        inputs = self.inputs.get("encode", {})
        if getattr(self.model, "vocabulary", None) is not None or "ids" in inputs:
            return "text"
        if self.columns is not None:
            return "tables"
        shapes = [shape for name, shape in inputs.items() if name != "labels"]
        if hasattr(self.model, "to_waveform") or (shapes and shapes[0] == (None, None)):
            return "speech"
        pictures = len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][-1] in (1, 3)
        return "images" if pictures else "arrays"

    def needed_model(self, command: str) -> Any:
        """Return the model, which an artifact does not contain.

        Raises:
            InputError: an artifact was opened, or a model that is not of this package.
        """
        if self.model is not None and not hasattr(self.model, "generative"):
            raise InputError(
                f"RUN of keras-ae {command} must be a model of keras_ae. "
                f"Received: {self.path}, a {type(self.model).__name__}."
            )
        if self.model is None:
            raise InputError(
                f"RUN of keras-ae {command} must be a run or a .keras file for {self.kind}. "
                f"Received: {self.path}, an exported artifact."
            )
        return self.model

    def check_endpoint(self, endpoint: str, command: str) -> None:
        """Raise `InputError` unless there is an endpoint of this name."""
        if endpoint not in self.inputs:
            raise InputError(
                f"RUN of keras-ae {command} must have an endpoint `{endpoint}`. "
                f"Received: {self.path}, with {', '.join(sorted(self.inputs)) or 'none'}."
            )

    def speaker_number(self, speaker: str | None) -> int | None:
        """Return the integer id of a speaker, given by the name in the training data or by the number.

        Raises:
            InputError: there is no such speaker.
        """
        names = [] if self.run is None else list(self.run.config.get("data", {}).get("speaker_names", ()))
        if speaker is None or speaker in names:
            return None if speaker is None else names.index(speaker)
        if speaker.isdecimal() and (not names or int(speaker) < len(names)):
            return int(speaker)
        known = ", ".join(names[:20]) + (" ..." if len(names) > 20 else "")
        expected = f"one of {known}, or their number" if names else "the number of a speaker"
        raise InputError(f"--speaker must be {expected}. Received: {speaker}")

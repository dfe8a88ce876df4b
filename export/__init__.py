"""Verified export: SavedModel for TensorFlow Serving, ONNX for edge devices."""

from keras_ae.export.artifact import Artifact
from keras_ae.export.endpoints import endpoints_of
from keras_ae.export.manifest import verification_table
from keras_ae.export.onnx import to_onnx
from keras_ae.export.precision import float32_copy
from keras_ae.export.saved_model import to_saved_model
from keras_ae.export.serving import serving_config, write_warmup
from keras_ae.export.verification import verify, verify_many
from keras_ae.export.verification_report import VerificationError, VerificationReport, VerificationRow

__all__ = [
    "Artifact",
    "VerificationError",
    "VerificationReport",
    "VerificationRow",
    "endpoints_of",
    "float32_copy",
    "serving_config",
    "to_onnx",
    "to_saved_model",
    "verification_table",
    "verify",
    "verify_many",
    "write_warmup",
]

"""Evaluation of speech: distances, verification, judges of conversions, vocoding, units."""

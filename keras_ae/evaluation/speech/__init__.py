"""Evaluation of speech: distances, speaker verification, judging of conversions, vocoding, units."""

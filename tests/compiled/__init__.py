"""predictor.compiled: the pickle's answers, or the pickle answers."""

"""The same scenarios against every place where an InferenceService can live."""

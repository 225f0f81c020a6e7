"""Foreign clients against a running predictor, each in a process of its own."""

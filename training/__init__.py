"""Trains and evaluates the two model versions; writes artifacts, never serves them."""

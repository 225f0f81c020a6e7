"""Decides a canary rollout by evidence: the library under `python -m scripts.canary`."""

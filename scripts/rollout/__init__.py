"""Decides a canary rollout by evidence: the library under scripts/canary.py."""

"""Decisions compared: each situation of a rollout, good and bad, under every rule."""

"""Tests of scripts/rollout/state."""

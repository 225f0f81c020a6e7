"""Tests of scripts/rollout/metrics/prometheus."""

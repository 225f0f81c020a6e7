"""Tests of scripts/rollout/cluster, one file a module."""

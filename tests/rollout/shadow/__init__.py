"""Tests of scripts/rollout, one file a module; `test_live*` on real processes."""

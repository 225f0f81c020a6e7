"""Adapters that set the canary's weight: one file per value of target.backend."""

"""Observe, decide, write down, act, read back; the world comes in through ports."""

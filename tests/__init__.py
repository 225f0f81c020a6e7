"""Tests, one file a module; contract, conformance and live ones in folders."""

"""On a real cluster: python -m tests.e2e."""

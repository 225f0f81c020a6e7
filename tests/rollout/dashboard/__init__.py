"""Tests of the page with all rollouts, and of its server."""

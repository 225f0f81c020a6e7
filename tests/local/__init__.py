"""Tests of scripts.local."""

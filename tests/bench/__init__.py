"""Benches: each prints one table of the product beside its peers, from one run."""

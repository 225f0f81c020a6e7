"""Verbs about a promoter inside the cluster: its manifests, its Job."""

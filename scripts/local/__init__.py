"""Runs InferenceServices on this machine from the manifests of a cluster."""

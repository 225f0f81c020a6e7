"""InferenceServices on this machine: the same manifests, no cluster."""

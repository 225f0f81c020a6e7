"""A promoter inside the cluster: its manifests, its Job."""

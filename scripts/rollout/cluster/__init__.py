"""A Kubernetes API server: login, objects, pods, the Lease."""

"""One Kubernetes API server: its objects, its pods, its Lease."""

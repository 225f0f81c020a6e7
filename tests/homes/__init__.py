"""The homes beside KServe: a VM, plain Kubernetes, a managed service."""

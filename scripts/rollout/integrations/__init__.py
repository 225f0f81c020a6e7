"""Hooks, webhooks and Kubernetes Events."""

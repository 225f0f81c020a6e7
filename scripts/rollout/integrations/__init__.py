"""Others that are asked or told: hooks, webhooks, Kubernetes Events."""

"""What a Prometheus reads of rollouts, and warns of."""

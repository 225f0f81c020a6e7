"""Bad canaries, made outside the product: models that misbehave once they serve."""

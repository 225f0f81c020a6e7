"""Why a rollout waits, why it ended, on what its verdict rests: words and numbers."""

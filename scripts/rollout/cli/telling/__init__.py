"""What a rollout tells others once its promoter is gone."""

"""What a promoter in the cluster needs: templates, rendered for one target."""

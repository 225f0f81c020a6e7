"""How long a good canary will take, on which steps, and what may slip through."""

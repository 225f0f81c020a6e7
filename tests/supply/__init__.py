"""What is installed: from where, under which licence, and why."""

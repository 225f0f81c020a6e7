"""The container contract of a managed service, on a real process."""

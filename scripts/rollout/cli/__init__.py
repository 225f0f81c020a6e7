"""One module a verb of `python -m scripts.canary`; each has `run(options)`."""

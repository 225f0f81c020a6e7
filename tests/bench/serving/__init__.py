"""Serving against its peers and its floors: `make bench`, `make bench-growth`."""

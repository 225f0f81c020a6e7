"""The server that runs in the image: one pickled pipeline behind KServe's protocols."""

"""The same texts asked of both arms."""

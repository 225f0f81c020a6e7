"""What tests share and what is itself no test: one module a thing, one name each."""

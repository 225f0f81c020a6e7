"""HTTPRoutes: the rule to split, the pods behind it, the Envoys before it."""

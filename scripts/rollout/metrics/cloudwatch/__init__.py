"""Amazon CloudWatch: what SageMaker counted of an endpoint's variants."""

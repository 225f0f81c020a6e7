"""The container contract of a managed service, SageMaker's: /ping and /invocations."""

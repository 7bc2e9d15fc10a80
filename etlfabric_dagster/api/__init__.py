"""The HTTP API: `/api/v1`. Routes translate; every rule stands in services."""

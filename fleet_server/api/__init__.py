"""The HTTP API: one module a resource, one error body, tokens on every route under /api/v1."""

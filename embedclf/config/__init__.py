"""The YAML config: schema, loading, messages for what is wrong."""

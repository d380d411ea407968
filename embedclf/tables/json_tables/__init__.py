"""JSON tables: files -> records, whatever their arrangement."""

"""HTML in texts, removed by tensors."""

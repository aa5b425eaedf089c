"""Scripts that make weights."""

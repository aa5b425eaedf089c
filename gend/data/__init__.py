"""Pictures to learn from: where they come from, how they vary, and what is done to one of each pair."""

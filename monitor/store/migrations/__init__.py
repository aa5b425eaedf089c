"""Steps from one schema to the next, in `versions/`: never edited once released, and none leads back."""

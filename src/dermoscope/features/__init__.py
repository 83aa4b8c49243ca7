"""Features of frozen encoders: computed once, stored, found again. Torch-free."""

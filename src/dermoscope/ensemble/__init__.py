"""Several classifiers, and several crops of one image, as one answer: Dempster–Shafer, means, stacking. Torch-free."""

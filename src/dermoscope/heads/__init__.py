"""Classifiers on a frozen 256-d feature: skin gate, lesion group, diagnosis, malignancy."""

"""Lesion masks: automatic prompts, choice among the decoder's masks, finishing. Only the decoder itself needs torch."""

"""Image encoders of the SAM family behind one interface: images in, `[B, 256, h, w]` embedding map out."""

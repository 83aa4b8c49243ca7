"""From recipes to runs to bundles: everything that needs torch and ends in `export`."""

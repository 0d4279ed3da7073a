"""From a sweep over sizes and sparsities to one SAE, with the reason."""

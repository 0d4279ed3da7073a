"""From a stream of rows to trained SAEs: the loop, its optimizer, stopping, resuming and logging."""

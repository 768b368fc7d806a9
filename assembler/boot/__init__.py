"""Boot loaders behind one seam: which packages they need, and what of these goes onto a medium."""

"""Proofs about finished images: verifying, comparing, rebuilding, and telling where everything came from."""

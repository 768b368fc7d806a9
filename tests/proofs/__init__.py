"""Proofs that take minutes to hours: that what is built is right, and the same for everybody. scripts/ starts them."""

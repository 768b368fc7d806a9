"""What maintainer scripts would have done, as rules over the staging tree."""

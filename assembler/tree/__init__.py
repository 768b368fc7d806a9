"""The staging tree, its contents by reference, and its tar reader and writer."""

"""A node that becomes a cluster of Kubernetes, with commands built from their source."""

"""What a Kubernetes release consists of: programs, container images, and how its container runtime is configured."""

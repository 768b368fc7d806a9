"""Content-addressed objects and derived results on disk, and the one transport that opens sockets."""
